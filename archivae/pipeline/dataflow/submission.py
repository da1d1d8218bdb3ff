"""What ``--accelerator`` settles about a Dataflow job, and the combinations that are refused before anything is sent.

Sources, all on cloud.google.com/dataflow/docs: "Right fitting" (hints are for batch, not for FlexRS, and never beside the
service option), "FlexRS" (no GPUs), "Use Dataflow Prime" (no machine types), "Run a pipeline with GPUs" (driver, disk,
processes), "Use custom containers" (``--sdk_location=container``). Nothing here was run against the service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

from archivae.errors import UsageError
from archivae.pipeline.dataflow.gpus import GPUS, Gpu

DATAFLOW_RUNNERS = ("DataflowRunner", "TestDataflowRunner")
RUN_LABEL = "archivae-run"
"""The job's label that names the run whose rows `archivae status` reads."""

_CPU_MACHINE = "n2-standard-8"
_CPU_DISK, _GPU_DISK = 30, 50  # GB; the image with CUDA takes about ten, and the boot disk holds it twice while pulled
_MOST_WORKERS = 10
_ONE_PROCESS = "no_use_multiple_sdk_containers"
_SERVICE_OPTION = "worker_accelerator"


class Asked(Protocol):
    """What of a job's settings counts here."""

    @property
    def operation(self) -> str: ...

    @property
    def accelerator(self) -> str: ...

    @property
    def accelerator_scope(self) -> str: ...

    @property
    def reached(self) -> Mapping[str, str]:
        """The URIs that workers read and write, by what people call them."""


@dataclass(frozen=True)
class Submission:
    """What the graph must know of the job: ``hint`` goes on the transforms that hold the model, empty for none."""

    hint: str = ""


def prepare(options: PipelineOptions, settings: Asked, run: str) -> Submission:
    """Settle in ``options`` what the user left open; UsageError names every combination that can't work.

    Whatever the user gave stays: machine type, disk, workers, experiments, image.
    """
    problem = next(_problems(options, settings), None)
    if problem:
        raise UsageError(problem)
    gpu = GPUS.get(settings.accelerator)
    _settle_workers(options, gpu)
    _name_job(options, settings, run)
    if gpu is None:
        _settle_machine(options, _CPU_MACHINE)
        return Submission()
    _add_experiment(options, _ONE_PROCESS)
    if settings.accelerator_scope == "job":
        _settle_machine(options, gpu.machine)
        _add_service_option(options, f"{_SERVICE_OPTION}={gpu.accelerator()}")
        return Submission()
    return Submission(_step_hint(options, gpu))


def _step_hint(options: PipelineOptions, gpu: Gpu) -> str:
    """The hint with its machine. The other steps must not get that machine: most kinds can't start without a GPU."""
    worker = options.view_as(WorkerOptions)
    machine = "" if _is_prime(options) else worker.machine_type or gpu.machine
    worker.machine_type = None
    return gpu.accelerator(machine)


def _settle_machine(options: PipelineOptions, machine: str) -> None:
    worker = options.view_as(WorkerOptions)
    if not _is_prime(options):
        worker.machine_type = worker.machine_type or machine


def _settle_workers(options: PipelineOptions, gpu: Gpu | None) -> None:
    worker = options.view_as(WorkerOptions)
    worker.disk_size_gb = worker.disk_size_gb or (_GPU_DISK if gpu else _CPU_DISK)
    if worker.autoscaling_algorithm != "NONE":
        worker.autoscaling_algorithm = "THROUGHPUT_BASED"
        worker.max_num_workers = worker.max_num_workers or max(_MOST_WORKERS, worker.num_workers or 0)
    if worker.sdk_container_image:
        # All is in the image: nothing is downloaded or installed while a worker that costs money starts.
        options.view_as(SetupOptions).sdk_location = "container"


def _name_job(options: PipelineOptions, settings: Asked, run: str) -> None:
    cloud = options.view_as(GoogleCloudOptions)
    cloud.job_name = cloud.job_name or f"archivae-{settings.operation}-{run.lower()}"
    cloud.labels = [*(cloud.labels or ()), f"{RUN_LABEL}={run.lower()}"]


def _problems(options: PipelineOptions, settings: Asked) -> Iterator[str]:
    """Why the job can't work, worst first; nothing is asked of the network."""
    if settings.accelerator not in ("cpu", *GPUS):
        yield (
            f"--accelerator {settings.accelerator} is for this machine; on Dataflow the hardware must be named: "
            f"cpu, {', '.join(GPUS)}"
        )
    yield from _missing(options)
    yield from _out_of_reach(settings)
    gpu = GPUS.get(settings.accelerator)
    yield from _twice(options, settings.accelerator)
    if gpu:
        yield from _wrong_for_gpu(options, settings.accelerator_scope, gpu)


def _missing(options: PipelineOptions) -> Iterator[str]:
    cloud, setup = options.view_as(GoogleCloudOptions), options.view_as(SetupOptions)
    for name in ("project", "region", "temp_location"):
        if not getattr(cloud, name):
            yield f"--{name} is missing: Dataflow needs to know where to run and where to put its temporary files"
    image = options.view_as(WorkerOptions).sdk_container_image
    if not (image or setup.setup_file or setup.extra_packages):
        yield (
            "--sdk_container_image is missing: Dataflow's own workers have no archivae; build the image that "
            "deploy/Dockerfile describes and name it"
        )


def _out_of_reach(settings: Asked) -> Iterator[str]:
    """What workers in the cloud can't read or write."""
    for word, uri in settings.reached.items():
        if not uri.startswith("gs://"):
            yield (
                f"{word} {uri!r} is not gs://...: Dataflow's workers don't see this machine's files; "
                "copy it to gs:// and name that"
            )


def _twice(options: PipelineOptions, accelerator: str) -> Iterator[str]:
    hints = _given(options.view_as(StandardOptions).resource_hints)
    if any(hint.startswith("accelerator=") for hint in hints):
        yield f"--resource_hint accelerator=... and --accelerator {accelerator} say it twice: leave out the hint"
    if any(option.startswith(_SERVICE_OPTION) for option in _service_options(options)):
        yield (
            f"--dataflow_service_options={_SERVICE_OPTION}=... and --accelerator {accelerator} say it twice: leave out "
            "the service option, and say --accelerator-scope job to have GPUs on every worker"
        )


def _wrong_for_gpu(options: PipelineOptions, scope: str, gpu: Gpu) -> Iterator[str]:
    cloud, worker = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    if cloud.flexrs_goal:
        yield f"--flexrs_goal with --accelerator {gpu.name}: FlexRS has no GPUs; leave it out, or use --accelerator cpu"
    if options.view_as(StandardOptions).streaming and scope == "step":
        yield "--streaming with a GPU on single steps: right fitting is for batch jobs; use --accelerator-scope job"
    if not worker.sdk_container_image:
        yield f"--accelerator {gpu.name} needs --sdk_container_image: CUDA and its torch come in the image"
    if _ONE_PROCESS.removeprefix("no_") in _given(options.view_as(DebugOptions).experiments):
        yield "--experiments=use_multiple_sdk_containers with a GPU: each process would load a model of its own; leave it out"
    if _is_prime(options):
        if scope == "job":
            yield "enable_prime with --accelerator-scope job: Dataflow Prime takes resource hints only; use scope step"
        if worker.machine_type:
            yield f"enable_prime with --worker_machine_type {worker.machine_type}: Dataflow Prime chooses machines itself"
    elif worker.machine_type and not gpu.fits(worker.machine_type):
        yield (
            f"--worker_machine_type {worker.machine_type} does not carry exactly one {gpu.name}: use {gpu.machine}, "
            "or leave it out"
        )


def _is_prime(options: PipelineOptions) -> bool:
    experiments = _given(options.view_as(DebugOptions).experiments)
    return "enable_prime" in (*_service_options(options), *experiments)


def _service_options(options: PipelineOptions) -> list[str]:
    return _given(options.view_as(GoogleCloudOptions).dataflow_service_options)


def _add_service_option(options: PipelineOptions, option: str) -> None:
    options.view_as(GoogleCloudOptions).dataflow_service_options = [*_service_options(options), option]


def _add_experiment(options: PipelineOptions, experiment: str) -> None:
    debug = options.view_as(DebugOptions)
    debug.experiments = list(dict.fromkeys([*_given(debug.experiments), experiment]))


def _given(words: Sequence[str] | None) -> list[str]:
    return list(words or ())
