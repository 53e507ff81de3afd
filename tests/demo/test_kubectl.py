"""The real kubectl against the demo server: more than sixty calls, as a person would make them.

They run in order on one server, whose workload is alive but makes no changes of its own. Each row is the
arguments, the exit code, and a pattern that kubectl's output must contain. kubectl must be installed (Debian:
kubernetes-client).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdash.demo import ApiServer

pytestmark = pytest.mark.kubectl

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: site, namespace: default, labels: {app: site}}
spec:
  replicas: 2
  selector: {matchLabels: {app: site}}
  template:
    metadata: {labels: {app: site}}
    spec:
      containers:
      - {name: site, image: "registry.example.com/site:1", ports: [{containerPort: 80}]}
      - {name: side, image: "registry.example.com/side:1"}
"""
FILES = {
    "deployment.yaml": DEPLOYMENT,
    "changed.yaml": DEPLOYMENT.replace("site:1", "site:2").replace("replicas: 2", "replicas: 3"),
    "settings.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue, size: '1'}\n",
    "owned.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {colour: red}\n",
    "namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: guests}\n---\n"
                      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: inside, namespace: guests}\n",
    "other.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: owned}\ndata: {colour: green}\n",
    "bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_Valid}\n",
    "wrong-type.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: two"),
    "unknown.yaml": DEPLOYMENT.replace("name: site, namespace", "name: odd, namespace").replace("ports:", "prots:"),
    "crd.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer, maximum: 100, description: How wide it is.}
              colour: {type: string, default: red, enum: [red, green]}
          status:
            type: object
            properties:
              size: {type: integer}
""",
    "widget.yaml": "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: first}\nspec: {size: 3}\n",
    "wide-widget.yaml": "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: wide}\nspec: {size: 300}\n",
}
DEPLOYED = "rollout status deployment/site --timeout=30s"

CALLS: list[tuple[str, int, str]] = [
    # discovery
    ("version", 0, r"Server Version: v1\."),
    ("api-resources", 0, r"(?m)^deployments +deploy +apps/v1 +true +Deployment$"),
    ("api-resources --namespaced=false -o name", 0, r"(?m)^nodes$"),
    ("api-versions", 0, r"(?m)^apps/v1$"),
    ("cluster-info", 0, r"control plane.*127\.0\.0\.1"),
    ("explain deployment", 0, r"KIND: +Deployment"),
    ("explain pods.spec.containers", 0, r"(?s)FIELD: containers <\[\]Container>.*imagePullPolicy\t<string>"),
    ("explain deployment.spec.strategy.rollingUpdate.maxSurge", 0, r"maxSurge <IntOrString>"),
    ("explain cronjob.spec --recursive", 0,
     r"(?s)jobTemplate\t<JobTemplateSpec> -required-.*containers\t<\[\]Container>"),
    ("explain pod.spec.nonsense", 1, r'field "nonsense" does not exist'),
    ("auth can-i list pods", 0, r"^yes"),
    ("auth whoami", 0, r"Username +demo"),
    # reading
    ("get nodes", 0, r"cp-1 +Ready +control-plane +\d+d +v1\.32"),
    ("get nodes -o wide", 0, r"INTERNAL-IP.*OS-IMAGE.*CONTAINER-RUNTIME"),
    ("get pods", 0, r"(?m)^NAME +READY +STATUS +RESTARTS +AGE *$"),
    ("get pods -A", 0, r"kube-system +etcd-cp-1 +1/1 +Running +0 +"),
    ("get pods -o wide", 0, r"redis-0 +1/1 +Running +0 +\S+ +10\.244\.\d+\.\d+ +node-\d +<none>"),
    ("get pod redis-0 -o yaml", 0, r"(?m)^kind: Pod$"),
    ("get pod redis-0 -o json", 0, r'"phase": "Running"'),
    ("get pods -l app=redis -o name", 0, r"^pod/redis-0$"),
    ("get pods -o custom-columns=N:.metadata.name,P:.status.phase", 0, r"redis-0 +Running"),
    ("get pods -A --field-selector spec.nodeName=cp-1", 0, r"etcd-cp-1"),
    ("get pods -A --chunk-size=5", 0, r"kube-scheduler-cp-1"),
    ("get pods --field-selector spec.colour=red", 1, r"field label not supported"),
    ("get all -n shop", 0, r"deployment\.apps/cart +2/2 +2 +2"),
    ("get deploy,rs,sts -n shop", 0, r"replicaset\.apps/cart-\S+ +2 +2 +2"),
    ("get ds -n kube-system", 0, r"kube-proxy +4 +4 +4 +4 +4 +<none>"),
    ("get svc", 0, r"kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443/TCP"),
    ("get cm,secret,sa -n shop", 0, r"secret/registry-credentials +Opaque +1"),
    ("get cronjobs -n shop", 0, r"nightly-report +30 3 \* \* \* +<none> +False +0 +<none>"),
    ("get leases -n kube-node-lease", 0, r"node-1 +node-1"),
    ("get ns", 0, r"monitoring +Active"),
    ("get pod missing", 1, r'pods "missing" not found'),
    ("get nonsense", 1, r"doesn't have a resource type"),
    ("describe pod redis-0", 0, r"(?s)Controlled By: +StatefulSet/redis.*Conditions:.*Ready +True"),
    ("describe deployment web", 0, r"(?s)Replicas: +8 desired \| 8 updated.*NewReplicaSet: +web-"),
    ("describe node node-1", 0, r"(?s)Conditions:.*Ready +True.*Non-terminated Pods"),
    ("logs redis-0", 0, r"it has no log"),
    ("describe svc kubernetes", 0, r"Port: +https +443/TCP"),
    ("describe ns default", 0, r"Status: +Active"),
    ("describe cm web-config", 0, r"log_level: info"),
    ("describe secret registry-credentials -n shop", 0, r"token: +28 bytes"),
    ("describe rs -n shop", 0, r"Controlled By: +Deployment/cart"),
    ("describe sts redis", 0, r"1 desired \| 1 total"),
    ("describe ds kube-proxy -n kube-system", 0, r"Desired Number of Nodes Scheduled: +4"),
    ("describe cronjob nightly-report -n shop", 0, r"Schedule: +30 3"),
    ("describe sa default", 0, r"(?m)^Name: +default$"),
    ("describe lease node-1 -n kube-node-lease", 0, r"Holder Identity: +node-1"),
    ("get pods --sort-by=.metadata.name", 0, r"(?s)api-.*redis-0.*web-.*worker-"),
    ("get --raw /version", 0, r'"major": "1"'),
    ("config current-context", 0, r"^kdash-demo$"),
    ("top pods", 1, r"Metrics API not available"),
    ("exec redis-0 -- ls", 1, r"no container runs behind the pods of the kdash demo: exec is not possible"),
    ("attach redis-0", 1, r"attach is not possible"),
    ("exec missing -- ls", 1, r'pods "missing" not found'),
    # writing from files
    ("create -f settings.yaml", 0, r"configmap/settings created"),
    ("create -f settings.yaml", 1, r"AlreadyExists"),
    ("create -f bad.yaml", 1, r"(?s)Not_Valid.*RFC 1123 subdomain"),
    ("create -f wrong-type.yaml", 1, r"cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas"),
    ("create -f unknown.yaml", 1,
     r'strict decoding error: unknown field "spec\.template\.spec\.containers\[0\]\.prots"'),
    ("create -f unknown.yaml --validate=warn", 0, r'(?s)Warning: unknown field.*prots"\s+deployment.apps/odd created'),
    ("delete deployment odd", 0, r"deleted"),
    ("create deployment typed --image=x", 1, r"protobuf.*kubectl create -f"),
    ("create namespace typed", 1, r"protobuf.*kubectl create -f"),
    ("create configmap typed --from-literal=a=1", 1, r"protobuf.*kubectl create -f"),
    ("apply -f settings.yaml", 0, r"configmap/settings configured"),
    ("apply -f settings.yaml", 0, r"configmap/settings unchanged"),
    ("apply -f deployment.yaml --dry-run=server", 0, r"site created \(server dry run\)"),
    ("apply -f deployment.yaml", 0, r"deployment\.apps/site created"),
    (DEPLOYED, 0, r"successfully rolled out"),
    ("apply -f deployment.yaml", 0, r"deployment\.apps/site unchanged"),
    ("diff -f changed.yaml", 1, r"(?m)^\+ +replicas: 3"),
    ("apply -f changed.yaml", 0, r"deployment\.apps/site configured"),
    (DEPLOYED, 0, r"successfully rolled out"),
    ("get deploy site -o jsonpath={.spec.template.spec.containers[*].image}", 0, r"site:2 \S+side:1"),
    ("apply --server-side -f owned.yaml", 0, r"configmap/owned serverside-applied"),
    ("apply --server-side -f owned.yaml", 0, r"configmap/owned serverside-applied"),
    ("apply --server-side --field-manager=other -f other.yaml", 1, r'conflict with "kubectl".*\.data\.colour'),
    ("apply --server-side --field-manager=other --force-conflicts -f other.yaml", 0, r"owned serverside-applied"),
    ("get cm owned -o jsonpath={.data.colour}", 0, r"^green$"),
    ("replace -f owned.yaml", 0, r"configmap/owned replaced"),
    ("apply -f settings.yaml --dry-run=client", 0, r"settings (configured|unchanged) \(dry run\)"),
    ("apply --server-side --force-conflicts -f deployment.yaml", 0, r"site serverside-applied"),
    (DEPLOYED, 0, r"successfully rolled out"),
    # changing
    ("label cm settings tier=front", 0, r"configmap/settings labeled"),
    ("annotate cm settings note=x", 0, r"configmap/settings annotated"),
    ('patch cm settings --type=merge -p {"data":{"size":null,"new":"5"}}', 0, r"settings patched"),
    ('patch cm settings --type=json -p [{"op":"add","path":"/data/z","value":"9"}]', 0, r"patched"),
    ("get cm settings -o jsonpath={.data}", 0, r'^\{"colour":"blue","new":"5","z":"9"\}$'),
    ('patch cm settings --type=json -p [{"op":"remove","path":"/data/none"}]', 1, r"rejected our request"),
    (
        'patch deploy site -p {"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side:9"}]}}}}',
        0,
        r"site patched",
    ),
    ("get deploy site -o jsonpath={.spec.template.spec.containers[*].name}", 0, r"^site side$"),
    ("edit cm settings", 0, r"configmap/settings edited"),
    ("get cm settings -o jsonpath={.data.colour}", 0, r"^green$"),
    ("set image deploy/site site=registry.example.com/site:5", 0, r"image updated"),
    (DEPLOYED, 0, r"successfully rolled out"),
    ("rollout history deploy/site", 0, r"(?s)REVISION.*\n3 +<none>"),
    ("rollout undo deploy/site", 0, r"rolled back"),
    ("rollout restart deploy/site", 0, r"restarted"),
    (DEPLOYED, 0, r"successfully rolled out"),
    ("rollout status sts/redis --timeout=10s", 0, r"(complete|up to date)"),
    ("rollout status ds/kube-proxy -n kube-system --timeout=10s", 0, r"successfully rolled out"),
    ("scale deployment web --replicas=20", 0, r"web scaled"),
    ("wait deploy/web --for=jsonpath={.status.availableReplicas}=20 --timeout=30s", 0, r"condition met"),
    ("get pods -l app=web --no-headers", 0, r"(?s)^(web-[^\n]*Running[^\n]*\n){20}$"),
    (
        "get events --field-selector reason=ScalingReplicaSet",
        0,
        r"deployment/web +Scaled up replica set web-\S+ from 8 ",
    ),
    ("events --for deployment/web", 0, r"ScalingReplicaSet +Deployment/web"),
    ("scale deployment web --replicas=2 --current-replicas=7", 1, r"Expected replicas to be 7, was 20"),
    ("rollout pause deploy/web", 0, r"web paused"),
    ("rollout resume deploy/web", 0, r"web resumed"),
    ("expose deployment web --port=80 --name=web-too", 0, r"service/web-too exposed"),
    ("get svc web-too -o jsonpath={.spec.selector.app}", 0, r"^web$"),
    ("delete pod -l app=cart -n shop --grace-period=1", 0, r'(?s)(pod "cart-\S+" deleted.*){2}'),
    ("delete cm --all -n monitoring", 0, r'"grafana-config" deleted'),
    ("run once --image=registry.example.com/once:1 --restart=Never", 0, r"pod/once created"),
    ("wait pod/once --for=jsonpath={.status.phase}=Succeeded --timeout=30s", 0, r"condition met"),
    ("cordon node-3", 0, r"node-3 cordoned"),
    ("get node node-3", 0, r"Ready,SchedulingDisabled"),
    ("uncordon node-3", 0, r"node-3 uncordoned"),
    # custom resources
    ("apply -f crd.yaml", 0, r"widgets\.example\.com created"),
    ("wait crd/widgets.example.com --for=condition=Established --timeout=10s", 0, r"condition met"),
    ("apply -f widget.yaml", 0, r"widget\.example\.com/first created"),
    ("get wd", 0, r"(?m)^NAME +SIZE *\nfirst +3"),
    ("get wd first -o jsonpath={.spec.colour}", 0, r"^red$"),
    ("create -f wide-widget.yaml", 1, r"less than or equal to 100"),
    ('patch wd first --type=merge -p {"spec":{"size":7}}', 0, r"first patched"),
    ("explain widget.spec", 0, r"(?s)KIND: +Widget.*size\t<integer>\s+How wide it is\."),
    ("scale wd first --replicas=9", 0, r"widget\.example\.com/first scaled"),
    ("get wd first -o jsonpath={.spec.size}", 0, r"^9$"),
    ('patch wd first --subresource=status --type=merge -p {"status":{"size":4},"spec":{"size":1}}', 0,
     r"first patched"),
    ("get wd first -o jsonpath={.spec.size}/{.status.size}", 0, r"^9/4$"),
    ("scale wd first --replicas=1 --current-replicas=3", 1, r"Expected replicas to be 3, was 9"),
    ("get wd -o wide", 0, r"first +9"),
    ("describe wd first", 0, r"(?s)Spec:.*Size: +9"),
    ("api-resources --api-group=example.com", 0, r"widgets +wd +example\.com/v1 +true +Widget"),
    ("delete crd widgets.example.com", 0, r"deleted"),
    ("get wd", 1, r"(doesn't have a resource type|could not find)"),
    # deleting
    ("delete pod redis-0", 0, r'pod "redis-0" deleted'),
    ("wait pod/redis-0 --for=condition=Ready --timeout=30s", 0, r"condition met"),
    ("delete deploy site", 0, r'deployment.apps "site" deleted'),
    ("wait rs,pod -l app=site --for=delete --timeout=30s", 0, r""),
    ("create -f namespace.yaml", 0, r"namespace/guests created\nconfigmap/inside created"),
    ("delete ns guests --timeout=30s", 0, r'namespace "guests" deleted'),
    ("get cm inside -n guests", 1, r"not found"),
    ("delete cm settings owned", 0, r'(?s)"settings" deleted.*"owned" deleted'),
    ("delete cm settings", 1, r"NotFound"),
    ("delete cm settings --ignore-not-found", 0, r"^$"),
]


class Kubectl:
    """kubectl with a home, a cache and a kubeconfig of its own."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        found = shutil.which("kubectl")
        if found is None:
            pytest.fail("kubectl is not in PATH: install it (Debian: apt-get install kubernetes-client)")
        self._program = found
        self._folder = folder
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(kubeconfig), "NO_PROXY": "127.0.0.1",
            "KUBECACHEDIR": str(folder / "cache"), "KUBE_EDITOR": "sed -i s/blue/green/",
        }
        for name, text in FILES.items():
            (folder / name).write_text(text, "utf-8")

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything it printed."""
        done = subprocess.run([self._program, *arguments], cwd=self._folder, env=self._environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        return done.returncode, done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A kubectl that runs until it is ended."""
        return subprocess.Popen([self._program, *arguments], cwd=self._folder, env=self._environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("kubectl")
    with ApiServer(objects=42, rate=0, seed=3, scenario="calm", workload=True) as server:
        yield Kubectl(folder, server.write_kubeconfig(folder / "kubeconfig"))


@pytest.mark.timeout(240)
def test_kubectl_does_what_people_do_with_it(kubectl: Kubectl) -> None:
    wrong = []
    for line, expected, pattern in CALLS:
        code, output = kubectl(*line.split(" "))
        if code != expected or not re.search(pattern, output):
            wrong.append(f"kubectl {line}\n  wanted exit {expected} and /{pattern}/\n  got exit {code} and:\n{output}")
    assert not wrong, f"{len(wrong)} of {len(CALLS)} calls:\n\n" + "\n\n".join(wrong)
    assert len(CALLS) >= 60


def test_kubectl_get_watch_shows_changes_as_they_happen(kubectl: Kubectl) -> None:
    watch = kubectl.start("get", "pods", "-n", "monitoring", "-l", "app=grafana", "-w")
    try:
        assert watch.stdout is not None
        read: Callable[[], str] = watch.stdout.readline
        assert read().startswith("NAME")
        name = read().split()[0]
        assert kubectl("delete", "pod", name, "-n", "monitoring", "--wait=false")[0] == 0
        seen = [read().split()]
        while seen[-1][0] == name or seen[-1][1] != "1/1":
            seen.append(read().split())
        states = {row[2] for row in seen}
        assert {"Terminating", "Pending", "ContainerCreating", "Running"} <= states
    finally:
        watch.kill()
        watch.communicate()


def test_the_end_of_a_custom_kind_ends_its_watches(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "crd.yaml")[0] == 0
    assert kubectl("apply", "-f", "widget.yaml")[0] == 0
    watch = kubectl.start("get", "widgets", "-w")
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("NAME")
        assert watch.stdout.readline().split() == ["first", "3"]
        assert kubectl("scale", "widget", "first", "--replicas=5")[0] == 0
        assert watch.stdout.readline().split() == ["first", "5"]
        assert kubectl("delete", "crd", "widgets.example.com")[0] == 0
        watch.wait(30)
    finally:
        watch.kill()
        watch.communicate()
