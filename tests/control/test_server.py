"""The API server and etcd go away, come back, and come back with other data."""

import time

from gateway import wait_for
from steadygate import Traffic

# Starting takes the API server a while, and the longest pause between two tries is 10 s.
RECOVERY = 15


def test_the_api_server_is_killed_and_started_again(control_plane, serving, site):
    with Traffic(serving, site.host):
        control_plane.kill("kube-apiserver")
        time.sleep(2)
        assert serving.readiness()[0] == 200
        control_plane.start_api_server()
        took = serving.serves_within(RECOVERY, site.add("later"))
        print(f"served {took:.1f} s after the API server was ready")


def test_history_that_is_compacted(control_plane, proxy, serving, site):
    """The server does not remember the changes any more: everything is listed again."""
    gone = site.add("gone")
    serving.serves_within(2, gone)
    with Traffic(serving, site.host):
        with proxy.refusing():
            site.api.delete(_ingress(site, "gone"))
            late = site.add("late")
            control_plane.compact()
        serving.serves_within(RECOVERY, late)
        assert not serving.serves(gone)
        serving.serves_within(2, site.add("later"))


def test_data_from_a_backup(control_plane, proxy, serving, site, tmp_path):
    """The server is at an older version than the controller. A watch from the controller's version would be silent for long."""
    control_plane.copy_data(tmp_path / "copy")
    serving.serves_within(RECOVERY, site.add("kept"))
    lost = site.add("lost")
    serving.serves_within(RECOVERY, lost)
    for number in range(50):
        site.add(f"lost-{number}")
    serving.serves_within(RECOVERY, f"lost-49.{site.host}")
    with Traffic(serving, site.host):
        control_plane.restore_data(tmp_path / "copy")
        began = time.monotonic()
        wait_for(lambda: not serving.serves(lost), "what is not in the backup is gone", RECOVERY)
        print(f"the backup was served after {time.monotonic() - began:.1f} s")
        serving.serves_within(2, site.add("later"))


def _ingress(site, name):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": site.namespace},
    }
