# `make help` lists the targets. Every target that needs Python makes .venv by itself.
SHELL := /bin/sh
PY := .venv/bin/python
STAMP := .venv/.installed
JOBS ?= 2
PYTEST_ARGS ?=
BENCH ?=
WEB_ARGS ?=

# One thread a process: the tests run in $(JOBS) processes, and sums in parallel threads would not repeat bit for bit.
TEST_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONHASHSEED=0

# Tests in a real browser: one browser at a time, and nothing beside it. The page draws in software there.
WEB_TESTS := tests/web tests/video/test_preview_page.py

.DEFAULT_GOAL := help
.PHONY: help install demo test test-web lint format types check-configs bench web lite-env tflite-env models-doc readme-picture augmentation-picture effects-pictures clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## make .venv and install everything into it (PYTHON=... chooses the interpreter)

$(STAMP): setup.py requirements.txt .ci/setup_venv.sh
	@sh .ci/setup_venv.sh

demo: $(STAMP) ## train, judge, export and use a small network on generated portraits; pictures in demo_output/
	@$(PY) -m paddle_portrait.cli.demo

test: $(STAMP) ## run all tests but those of test-web (JOBS=2 processes; PYTEST_ARGS="-k resume" narrows)
	$(TEST_ENV) $(PY) -m pytest -q -n $(JOBS) --dist loadfile $(addprefix --ignore=,$(WEB_TESTS)) $(PYTEST_ARGS)

# A process for each file, so that every browser is the first of its process, and within it a worker (-n 1): a test
# that hangs ends the worker, and the next one goes on with the tests that are left. A browser that draws in software
# can starve on a shared machine: what failed runs once more, and a fault is what shows twice. 5: nothing was selected.
WEB_PYTEST := $(TEST_ENV) $(PY) -m pytest -q -n 1 --max-worker-restart 3 --timeout 300
test-web: $(STAMP) ## run the tests in a real browser, which .ci/install_browser.sh brings (WEB_ARGS="-k camera" narrows)
	@failed=0; for file in $(wildcard tests/web/test_*.py) tests/video/test_preview_page.py; do \
	    $(WEB_PYTEST) $$file $(WEB_ARGS); \
	    case $$? in 0|5) ;; 1) echo "once more: what failed in $$file"; $(WEB_PYTEST) --lf $$file $(WEB_ARGS) || failed=1 ;; \
	    *) failed=1 ;; esac; \
	done; exit $$failed

lint: $(STAMP) ## ruff: errors, imports, format
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(STAMP) ## rewrite the sources in ruff's format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

types: $(STAMP) ## mypy over paddle_portrait
	$(PY) -m mypy

check-configs: $(STAMP) ## check every shipped YAML without running anything
	$(PY) tools/check_config.py configs benchmarks

bench: $(STAMP) ## run every benchmark of benchmarks/ (hours; BENCH="name name" narrows); results in benchmarks/results/
	$(PY) benchmarks/run_all.py $(BENCH)

web: $(STAMP) ## build the web page into deploy/paddlejs/dist (Node 20 or later; MODEL=name takes another released model)
	@sh deploy/paddlejs/build.sh

lite-env: ## make .venv-lite, where Paddle Lite lives (LITE_PYTHON=... chooses a Python 3.10 or 3.8)
	@sh .ci/make_lite_env.sh

tflite-env: ## make .venv-tflite, which exports to TensorFlow Lite need (TFLITE_PYTHON=... chooses a Python 3.12 or 3.13)
	@sh .ci/make_tflite_env.sh

models-doc: $(STAMP) ## count every network anew: docs/models.json and docs/models.md
	$(PY) tools/analyze_model.py --all

readme-picture: $(STAMP) ## make docs/images/contact_sheet.jpg from the demo's contact sheet
	$(PY) -c "from PIL import Image; Image.open('demo_output/contact_sheet.png').save('docs/images/contact_sheet.jpg', quality=82, optimize=True)"

augmentation-picture: $(STAMP) ## make docs/images/augmentation.jpg: every augmentation on generated portraits
	$(PY) docs/make_augmentation_pictures.py

effects-pictures: $(STAMP) ## make docs/images/effects_*.jpg: every effect on generated portraits
	$(PY) docs/make_effects_pictures.py

clean: ## remove caches, builds and the demo's output
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo_output
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv
	rm -rf .venv
