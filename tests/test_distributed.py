"""Sharded and distributed arrays of JAX and torch, each in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import unidiff as ud

PROGRAMS = Path(__file__).parent / "sharding_programs"


@pytest.mark.skipif("jax" not in ud.backends(), reason="JAX is not installed")
def test_jax_arrays_stay_sharded_over_eight_devices():
    flags = "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "jax_devices.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout.strip() == "sharded", done.stdout + done.stderr


@pytest.mark.skipif("torch" not in ud.backends(), reason="PyTorch is not installed")
def test_torch_gradients_of_two_processes(tmp_path):
    command = [sys.executable, str(PROGRAMS / "torch_processes.py")]
    store = str(tmp_path / "store")
    processes = [
        subprocess.Popen([*command, str(rank), store], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    try:
        found = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [out.strip() for out, _ in found] == ["distributed"] * 2, found


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_data_parallel_examples_learn(name):
    if name not in ud.backends():
        pytest.skip(f"{name} is not installed")
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_ENABLE_X64": "1"}
    script = PROGRAMS.parent.parent / "examples" / "data_parallel" / f"with_{name}.py"
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    losses = [float(line.split()[3]) for line in done.stdout.splitlines()]
    assert losses[-1] < 0.2 < losses[0]


def test_the_dask_example_learns_with_numpys_gradient():
    pytest.importorskip("distributed")
    script = PROGRAMS.parent.parent / "examples" / "data_parallel" / "with_dask.py"
    command = [sys.executable, str(script), "--gigabytes", "0.016", "--rows", "5000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    first, nominal, *steps = done.stdout.splitlines()
    assert float(first.split()[-1]) < 1e-14
    assert "8 blocks on 2 workers" in nominal
    losses = [float(line.split()[1]) for line in steps]
    assert losses[-1] < 0.6 < losses[0]
