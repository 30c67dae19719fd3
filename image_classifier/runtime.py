"""What a training runs on: device, precision, threads, and the switches that make it repeat bit for bit."""

import ctypes
import functools
import logging
import mmap
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from image_classifier import cpus
from image_classifier.errors import UserError
from image_classifier.settings.config import Config

logger = logging.getLogger(__name__)

# oneDNN chooses its kernels by these, beyond torch's own AVX2 and AVX512.
_KERNEL_FLAGS = ("avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "amx_fp16")
_KEPT = 2**31 - 1  # bytes at the heap's end; mallopt takes no more
_TOP_PAD = 1 << 28
_ADVISED = 3 << 29  # with the pad it stays under `_KEPT`: freed, it is kept
_AMPERE = (8, 0)  # the first CUDA capability that computes in bf16


@dataclass(frozen=True)
class Runtime:
    """What a training computes on, `auto` resolved; every field can change the last bit of a result."""

    device: str
    precision: str
    num_threads: int
    capability: str
    world_size: int = 1

    @property
    def torch_device(self) -> torch.device:
        """The device as torch wants it."""
        return torch.device(self.device)

    def as_dict(self) -> dict[str, Any]:
        """The fields as they go into the card."""
        return asdict(self)

    def autocast(self) -> torch.autocast:
        """A context in which the network computes in this precision."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.precision == "bf16")


def of(config: Config) -> Runtime:
    """The runtime that these settings come to on this machine."""
    return resolve(config.device, config.precision, config.num_threads)


def resolve(device: str, precision: str, num_threads: str) -> Runtime:
    """The device, precision and thread count that these settings come to on this machine, where they are `auto`."""
    if device == "cuda" and not has_gpu():
        raise UserError(
            "device cuda was asked for, but torch sees no GPU", "use --device cpu, or install a driver (R580 or later)"
        )
    if device == "auto":
        device = "cuda" if has_gpu() else "cpu"
    if precision == "auto":
        precision = "bf16" if computes_bf16(device) else "fp32"
    threads = cpus.available_cpus() if num_threads == "auto" else int(num_threads)
    cpus.refuse_too_many_threads(threads)
    return Runtime(device, precision, threads, capability(device))


def has_gpu() -> bool:
    """Whether torch sees a GPU."""
    return torch.cuda.is_available()


def computes_bf16(device: str) -> bool:
    """Whether the hardware multiplies in bf16; emulated, it is many times slower than fp32."""
    if device == "cuda":
        return torch.cuda.get_device_capability() >= _AMPERE
    return not _cpu_flags().isdisjoint(("avx512_bf16", "amx_bf16"))


def _cpu_flags() -> set[str]:
    return set(next((line for line in _lines(Path("/proc/cpuinfo")) if line.startswith("flags")), "").split())


def capability(device: str) -> str:
    """The instruction set or GPU whose arithmetic the result depends on."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    flags = _cpu_flags()
    more = [name for name in _KERNEL_FLAGS if name in flags]
    more += [
        f"{name}={os.environ[name]}" for name in ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY") if name in os.environ
    ]
    return " ".join([str(torch.backends.cpu.get_cpu_capability()), *more])


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def activate(runtime: Runtime) -> None:
    """Set this process up for `runtime`: threads, deterministic kernels, an allocator that keeps its memory."""
    torch.set_num_threads(runtime.num_threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS repeats its sums only with a fixed workspace
    torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, which imports the compiler too
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing here reads any
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    keep_freed_memory()


@functools.cache
def keep_freed_memory() -> None:
    """Tell glibc not to return freed blocks to the kernel, and to take huge pages: steps run without page faults."""
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4  # malloc.h
    try:
        libc = ctypes.CDLL("libc.so.6")
        settings = ((m_mmap_max, 0), (m_trim_threshold, _KEPT), (m_top_pad, _TOP_PAD))
        done = all(libc.mallopt(name, value) for name, value in settings) and _on_huge_pages(libc)
    except (OSError, AttributeError):  # another C library
        done = False
    if not done:
        logger.debug("this system takes no allocator settings")


def _on_huge_pages(libc: ctypes.CDLL) -> bool:
    """Grow the heap once, untouched, and ask for huge pages behind it: a fault for 2 MB instead of for 4 KB."""
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    start = libc.malloc(_ADVISED)
    if start is None:  # a limit on the address space
        return False
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    accepted = bool(libc.madvise(first, start + _ADVISED - first, mmap.MADV_HUGEPAGE) == 0)
    libc.free(start)
    return accepted


def versions(*more: str) -> dict[str, str]:
    """The versions of the libraries that compute; `more` are those that one model needs besides."""
    from importlib.metadata import version  # noqa: PLC0415  (slow to import, rarely needed)

    return {name: version(name) for name in ("torch", "torchvision", "numpy", "pillow", "scikit-learn", *more)}
