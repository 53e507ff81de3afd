"""Every test of client-go's tools/cache that a port has to have (P0 and P1 of the conformance checklist) has one here
that is named after it, and so have the ten that kdash adds (X1 to X10).

A test is named after `TestThreadSafeStoreRV` when it is called `test_thread_safe_store_rv…`; numbers of statements may
stand before: `test_st12_thread_safe_store_rv…`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROWS = """
# delta_fifo_test.go
DeltaFIFO_basic DeltaFIFO_replaceWithDeleteDeltaIn DeltaFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue
DeltaFIFO_addUpdate DeltaFIFO_transformer DeltaFIFO_enqueueingNoLister DeltaFIFO_enqueueingWithLister
DeltaFIFO_addReplace DeltaFIFO_ResyncNonExisting DeltaFIFO_Resync DeltaFIFO_DeleteExistingNonPropagated
DeltaFIFO_ReplaceMakesDeletions DeltaFIFO_ReplaceMakesDeletionsReplaced DeltaFIFO_ReplaceDeltaType
DeltaFIFO_UpdateResyncRace DeltaFIFO_HasSyncedCorrectOnDeletion DeltaFIFO_detectLineJumpers DeltaFIFO_KeyOf
DeltaFIFO_HasSynced DeltaFIFO_PopShouldUnblockWhenClosed
# the_real_fifo_test.go
RealFIFO_basic RealFIFO_replaceWithDeleteDeltaIn RealFIFO_addUpdate RealFIFO_addReplace RealFIFO_ResyncNonExisting
RealFIFO_Resync RealFIFO_DeleteExistingNonPropagated RealFIFO_UpdateResyncRace RealFIFO_KeyOf
RealFIFO_PopShouldUnblockWhenClosed RealFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue RealFIFO_transformer
RealFIFO_enqueueingNoLister RealFIFO_enqueueingWithLister RealFIFO_ReplaceMakesDeletions
RealFIFO_ReplaceMakesDeletionsReplaced RealFIFO_HasSyncedCorrectOnDeletion RealFIFO_detectLineJumpers
RealFIFO_HasSynced RealFIFO_PopMultipleDeltaInBatch RealFIFO_PopBrokenItemsInBatch RealFIFO_ReplaceAtomic
RealFIFO_ReplaceAtomicPop RealFIFO_ResyncAtomic
# controller_test.go
Example ExampleNewInformer HammerController Update PanicPropagated TransformingInformer TransformingInformerRace
DeletionHandlingObjectToName DeletedObjectGetObjectName DeletedObjectGetKey ProcessDeltasInBatch ReplaceEvents
ResetWatch StoreResourceVersion StoreResourceVersionWithNonMetaTransform
# reflector_test.go
CloseWatchChannelOnError RunUntil ReflectorResyncChan ReflectorWatchStoppedBefore ReflectorWatchStoppedAfter
ReflectorHandleWatchStoppedBefore ReflectorHandleWatchStoppedAfter ReflectorHandleWatchResultChanClosedBefore
ReflectorHandleWatchResultChanClosedAfter ReflectorWatchHandler ReflectorStopWatch ReflectorListAndWatch
ReflectorListAndWatchWithErrors ReflectorListAndWatchInitConnBackoff NewReflectorWithCustomBackoff
BackoffOnTooManyRequests NoRelistOnTooManyRequests RetryInternalError ReflectorResync ReflectorWatchListPageSize
ReflectorNotPaginatingNotConsistentReads ReflectorPaginatingNonConsistentReadsIfWatchCacheDisabled
ReflectorResyncWithResourceVersion ReflectorExpiredExactResourceVersion ReflectorFullListIfExpired
ReflectorFullListIfTooLarge GetTypeDescriptionFromObject GetExpectedGVKFromObject WatchTimeout
ReflectorResourceVersionUpdate ReflectorReplacesStoreOnUnsafeDelete ReflectorRespectStoreTransformer
IsUnsupportedTableObject
# reflector_watchlist_test.go
NewReflectorWithDisablementWatchList InitialEventsEndBookmarkTicker WatchListResourceVersion WatchList
# retry_with_deadline_test.go, wait_test.go
RetryWithDeadline WaitFor SyncResult
# shared_informer_test.go
Indexer ListenerResyncPeriods ListenerResyncPeriodsDelayed ResyncCheckPeriod SharedInformerInitializationRace
SharedInformerStartRace SharedInformerWatchDisruption SharedInformerErrorHandling SharedInformerTransformer
SharedInformerRemoveHandler SharedInformerRemoveForeignHandler SharedInformerMultipleRegistration
RemovingRemovedSharedInformer SharedInformerHandlerAbuse StateSharedInformer AddOnStoppedSharedInformer
RemoveOnStoppedSharedInformer RemoveWhileActive AddWhileActive Shutdown EventPanics
RemoveEventHandler_AsynchronousPanic RemoveEventHandler_SynchronousShutdown ShutDownEventHandler_Lifecycles
# stores, indexes, listers, pager, synctrack, fake source, identity, names, detector, typed
Cache CacheWithTransformer Index KeyError CacheTransactionShouldIndexErrors GetIndexFuncValues MultiIndexKeys
ThreadSafeStoreDeleteRemovesEmptySetsFromIndex ThreadSafeStoreAddKeepsNonEmptySetPostDeleteFromIndex
ThreadSafeStoreIndexingFunctionsWithMultipleValues ThreadSafeStoreRV ListAll ObjectNames
ToListWatcherWithWatchListSemantics DoesClientNotSupportWatchListSemantics ListPager_List BasicLogic SingleFile
SingleFileCounting AsyncLocking RCNumber NewInformerName WithResource Release NameForHandler MutationDetector
TypedFilteringResourceEventHandler TypedResourceEventHandlerFuncs
"""
"""The names without `Test`, a file of client-go's after each `#`."""


def rows() -> list[str]:
    return [name for line in ROWS.splitlines() if not line.startswith("#") for name in line.split()]


def in_python(name: str) -> str:
    """`RealFIFO_ReplaceAtomic` as `real_fifo_replace_atomic`."""
    name = name.replace("FIFOW_", "FIFO_W_")
    name = re.sub("FIFO|GVK|RC|RV", lambda found: f"_{found.group().capitalize()}_", name)
    return re.sub("_+", "_", re.sub("([a-z0-9])([A-Z])", r"\1_\2", name)).strip("_").lower()


@pytest.fixture(scope="module")
def tests() -> list[str]:
    """The names of all test functions."""
    trees = [ast.parse(path.read_text()) for path in Path(__file__).parents[1].rglob("test_*.py")]
    functions = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return [node.name for node in functions if node.name.startswith("test_")]


@pytest.mark.parametrize("name", rows())
def test_every_test_of_client_go_has_one_named_after_it(tests: list[str], name: str) -> None:
    wanted = re.compile(rf"test_([a-z]+\d+_)*{in_python(name)}(_|$)")
    assert any(wanted.match(test) for test in tests)


@pytest.mark.parametrize("number", range(1, 11))
def test_every_extra_test_is_there(tests: list[str], number: int) -> None:
    assert any(f"x{number}_" in test for test in tests)


def test_names_are_translated() -> None:
    assert in_python("DeltaFIFOW_ReplaceMakesDeletions") == "delta_fifo_w_replace_makes_deletions"
    assert in_python("ThreadSafeStoreRV") == "thread_safe_store_rv"
    assert in_python("GetExpectedGVKFromObject") == "get_expected_gvk_from_object"
