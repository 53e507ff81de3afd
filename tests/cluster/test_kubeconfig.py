"""Which cluster kubectl would use: files, merging, contexts, the pod's account, and how it can be wrong."""

import json
import subprocess
import sys

import pytest

from kdash.cluster import ConfigError, NoClusterConfig, connect
from kdash.cluster.kubeconfig import choose


def kubeconfig(path, name=None, *, current=True, server="https://{}.example:6443", **more):
    """Write a file with a cluster, a user and a context, all called `name`."""
    name = name or path.stem
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server.format(path.stem)}}],
        "users": [{"name": name, "user": {"token": f"token-of-{path.stem}"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{path.stem}"}}
        ],
        **({"current-context": name} if current else {}),
        **more,
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def files(tmp_path):
    paths = {name: tmp_path / name for name in ("a", "b", "empty", "missing", "no-current")}
    kubeconfig(paths["a"])
    kubeconfig(paths["b"])
    kubeconfig(paths["no-current"], current=False)
    paths["empty"].write_text("")
    return paths


def chosen(tmp_path, listed="", *, explicit=None, context=None, environ=None):
    env = {"KUBECONFIG": listed, **(environ or {})}
    return choose(explicit, context, env, tmp_path / "home", tmp_path / "account")


@pytest.mark.parametrize(
    ("listed", "context"),
    [
        (("a", "b"), "a"),
        (("no-current", "b"), "b"),
        (("a", "empty"), "a"),
        (("empty", "a"), "a"),
        (("a", "missing"), "a"),
        (("missing", "a"), "a"),
        (("b", "a", "b"), "b"),
    ],
)
def test_users_33_merged_files_give_kubectls_context(tmp_path, files, listed, context):
    selection = chosen(tmp_path, ":".join(str(files[name]) for name in listed))
    assert (selection.context, selection.server) == (context, f"https://{context}.example:6443")
    assert selection.namespace == f"ns-{context}"


def test_users_33_missing_files_alone_are_no_configuration(tmp_path, files):
    with pytest.raises(NoClusterConfig, match="missing does not exist") as caught:
        chosen(tmp_path, str(files["missing"]))
    assert caught.value.exit_code == 3


def test_users_33_first_entry_of_a_name_wins_as_a_whole(tmp_path):
    first = kubeconfig(tmp_path / "first", "same", users=[{"name": "same", "user": {"username": "u"}}])
    second = kubeconfig(tmp_path / "second", "same")
    selection = chosen(tmp_path, f"{first}:{second}")
    assert selection.server == "https://first.example:6443"
    assert selection.user == {"username": "u"}


def test_users_33_context_and_cluster_may_lie_in_different_files(tmp_path, files):
    contexts = tmp_path / "contexts"
    contexts.write_text("contexts: [{name: mix, context: {cluster: a, user: b}}]\ncurrent-context: mix\n")
    selection = chosen(tmp_path, f"{contexts}:{files['a']}:{files['b']}")
    assert (selection.server, selection.user) == ("https://a.example:6443", {"token": "token-of-b"})
    assert selection.namespace == "default"


def test_default_path_is_used_without_kubeconfig(tmp_path):
    (tmp_path / "home" / ".kube").mkdir(parents=True)
    kubeconfig(tmp_path / "home" / ".kube" / "config")
    assert chosen(tmp_path).context == "config"


def test_explicit_file_stands_alone(tmp_path, files):
    assert chosen(tmp_path, str(files["a"]), explicit=str(files["b"])).context == "b"


def test_context_asked_for_outranks_the_current_one(tmp_path, files):
    assert chosen(tmp_path, f"{files['a']}:{files['b']}", context="b").server == "https://b.example:6443"


def test_relative_paths_are_relative_to_their_file(tmp_path):
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text("x")
    user = {"tokenFile": "pki/token", "exec": {"command": "./bin/plugin", "apiVersion": "x"}}
    (tmp_path / "pki" / "token").write_text("x")
    path = kubeconfig(
        tmp_path / "a",
        users=[{"name": "a", "user": user}],
        clusters=[{"name": "a", "cluster": {"server": "https://x", "certificate-authority": "pki/ca.crt"}}],
    )
    selection = chosen(tmp_path, str(path))
    assert selection.cluster["certificate-authority"] == str(tmp_path / "pki" / "ca.crt")
    assert selection.user["tokenFile"] == str(tmp_path / "pki" / "token")
    assert selection.user["exec"]["command"] == str(tmp_path / "bin" / "plugin")


def test_pods_account_is_used_only_without_any_kubeconfig(tmp_path, files):
    account = tmp_path / "account"
    account.mkdir()
    for name, text in (("token", "t"), ("ca.crt", "c"), ("namespace", "of-pod\n")):
        (account / name).write_text(text)
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    pod = chosen(tmp_path, str(files["empty"]), environ=environ)
    assert (pod.context, pod.server, pod.namespace) == ("in-cluster", "https://10.0.0.1:443", "of-pod")
    assert chosen(tmp_path, str(files["a"]), environ=environ).context == "a"


def test_nothing_at_all_lets_the_caller_start_the_demo(tmp_path):
    with pytest.raises(NoClusterConfig, match="no cluster is configured"):
        chosen(tmp_path)


# -- what is wrong, where, and what to do -----------------------------------------------------------------


def sentence(tmp_path, text=None, **options):
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path, str(path), **options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_unknown_context_offers_the_nearest(tmp_path, files):
    with pytest.raises(ConfigError, match="did you mean 'no-current'"):
        chosen(tmp_path, str(files["no-current"]), context="no-curent")


def test_no_current_context_names_the_choice(tmp_path, files):
    with pytest.raises(ConfigError, match="sets no current-context; choose one with --context: no-current"):
        chosen(tmp_path, str(files["no-current"]))


def test_explicit_file_that_is_missing(tmp_path):
    assert "does not exist; check --kubeconfig" in sentence(tmp_path, explicit=str(tmp_path / "nothing"))


def test_bad_yaml_tells_the_place_and_not_the_content(tmp_path):
    said = sentence(tmp_path, "users:\n- name: x\n  user: {token: hunter2\n")
    assert "not valid YAML at line" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just text", "holds no mapping"),
        ("kind: Pod\nmetadata: {}", "its kind is 'Pod'"),
        ("clusters: {a: b}", "clusters is a mapping where a list belongs"),
        ("contexts: [{context: {cluster: c}}]", "entry 1 of contexts has no name"),
        ("users: [{name: u, user: {}}, {name: u, user: {}}]", "names the user 'u' twice"),
        ("current-context: c", "the context 'c' does not exist"),
        (
            "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]",
            "the cluster 'k' that the context 'c'",
        ),
        (
            "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
            "clusters: [{name: k, cluster: {server: 'https://x'}}]",
            "the user 'u' that the context 'c'",
        ),
        (
            "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
            "clusters: [{name: k, cluster: {server: 'x:6443'}}]",
            "no usable server address",
        ),
        (
            "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
            "clusters: [{name: k, cluster: {server: 'https://x', certificate-authority: ca}}]",
            "certificate-authority file",
        ),
    ],
)
def test_malformed_files_get_one_sentence(tmp_path, text, said):
    assert said in sentence(tmp_path, text)


def test_file_that_cannot_be_read(tmp_path):
    (tmp_path / "config").mkdir()
    assert "cannot be read" in sentence(tmp_path)


def test_control_characters_in_names_are_not_repeated(tmp_path):
    assert "\x1b" not in sentence(tmp_path, 'current-context: "c\\e[31m"')


# -- imports ----------------------------------------------------------------------------------------------


def printed_by(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_users_31_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, kdash.cluster; print([m for m in ('kubernetes', 'yaml', 'urllib3') if m in sys.modules])"
    )
    assert printed_by(code) == "[]"


def test_users_31_plain_url_needs_no_kubernetes_package():
    code = (
        "import sys; from kdash.cluster import connect_url; connect_url('http://127.0.0.1:1');"
        "print([m for m in ('kubernetes', 'yaml') if m in sys.modules])"
    )
    assert printed_by(code) == "[]"


def test_connecting_runs_no_plugin_and_imports_kubernetes_not_yet(tmp_path, monkeypatch):
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
    path = kubeconfig(tmp_path / "a", users=[{"name": "a", "user": {"exec": spec}}])
    monkeypatch.setenv("KUBECONFIG", str(path))
    client = connect()
    assert (client.context, client.namespace, client.server) == ("a", "ns-a", "https://a.example:6443")
    assert connect(namespace="other").namespace == "other"
