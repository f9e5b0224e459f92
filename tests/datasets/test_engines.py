"""Tasks in worker processes: results in order, few of them waiting, errors that name the index."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasets.engines import run_local, run_ray
from stitching.errors import InputError, JobError


def double_or_fail(index: int) -> int:
    """Twice the index; 5, 6 and 7 fail in different ways."""
    if index == 5:
        raise RuntimeError("no such\nscene")
    if index == 6:
        raise InputError("--textures x: no folder")
    if index == 7:
        os._exit(3)
    return 2 * index


def meet_or_die(index: str) -> str:
    """Wait until two nodes of a Ray cluster compute, which leave a file each in the folder that the index names."""
    import ray

    folder = Path(index)
    if folder.name == "dies":
        os._exit(3)
    (folder / str(ray.get_runtime_context().get_node_id())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.05)
    return index


def test_results_come_in_order_and_few_wait() -> None:
    requested = [0]

    def indices() -> Iterator[int]:
        for index in range(100, 160):
            requested[0] = index
            yield index

    results = run_local(double_or_fail, indices(), 2)
    for position, result in enumerate(results):
        assert result == 2 * (100 + position)
        assert requested[0] - 100 - position < 8  # whatever the number of samples, memory holds a few
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("processes", [0, 1])
def test_errors_of_a_task_are_raised_after_the_results_before_it(processes: int) -> None:
    results = run_local(double_or_fail, [3, 4, 5], processes)
    assert [next(results), next(results)] == [6, 8]
    expected = r"^sample 5 cannot be made: RuntimeError: no such scene \(test_engines.py, line \d+\)$"
    with pytest.raises(JobError, match=expected):
        next(results)
    with pytest.raises(InputError, match=r"^--textures x: no folder$"):
        next(run_local(double_or_fail, [6], processes))
    assert not multiprocessing.active_children()


def test_the_death_of_a_worker_names_the_index_and_what_to_do() -> None:
    with pytest.raises(JobError, match=r"^sample 7: its process ended with code 3; .*--jobs.*continues"):
        next(run_local(double_or_fail, [7], 1))


def test_results_may_come_as_they_are_ready_and_a_dead_worker_is_replaced() -> None:
    results = run_local(double_or_fail, [7, 1, 7, 2, 3], 2, in_order=False, lost=lambda index, how: len(how) and -index)
    assert sorted(results) == [-7, -7, 2, 4, 6]
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:port", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there_is_told_at_once(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=rf"^--ray-address {address}: .*; expected HOST:PORT of a Ray cluster$"):
        next(run_ray(double_or_fail, [1], "cpu", address=address))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_all_nodes_of_a_ray_cluster_compute_and_a_dead_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    def lost(index: str, how: str) -> str:
        return f"{Path(index).name}: {how}"

    here, both = Path(__file__).parent, str(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (here, here.parent.parent))))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        indices = [both, both, f"{both}/dies", both]
        before = signal.getsignal(signal.SIGTERM)
        running = run_ray(meet_or_die, indices, "cpu", address=cluster.address, in_order=False, lost=lost)
        results = [next(running)]
        assert signal.getsignal(signal.SIGTERM) is before
        results += running
    finally:
        cluster.shutdown()
    dead = [result for result in results if result != both]
    assert (len(results), len(dead)) == (4, 1)
    assert dead[0].startswith("dies: ")
