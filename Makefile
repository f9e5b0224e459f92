# make demo: stitch two and three pictures and look at them; make test: every check; make docs: the documents as a site.
# All keep to .venv in this folder.
.DELETE_ON_ERROR:
.PHONY: demo test docs clean

# The first Python that will do; another one: make PYTHON=/path/to/python3.12
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

demo: .venv/base demo/out/row/3.png
	$(BIN)/parastitch stitch demo/out/reference.png demo/out/target.png \
		--output demo/out/panorama.png --report demo/out/report.html
	$(BIN)/parastitch stitch demo/out/row --output demo/out/row.png --report demo/out/row.html
	@echo "two pictures:   $(CURDIR)/demo/out/panorama.png"
	@echo "    report:     $(CURDIR)/demo/out/report.html (open it in a browser)"
	@echo "three pictures: $(CURDIR)/demo/out/row.png"
	@echo "    report:     $(CURDIR)/demo/out/row.html"

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "the site: $(CURDIR)/build/site/index.html (with search: $(BIN)/python -m http.server --directory build/site)"

clean:
	rm -rf .venv demo/out build *.egg-info .mypy_cache .ruff_cache .pytest_cache

demo/out/row/3.png: demo/make_pictures.py constraints.txt | .venv/base
	$(BIN)/python demo/make_pictures.py demo/out

# The files .venv/base, .venv/docs and .venv/dev say that these are installed.
.venv/base: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "installing the stitcher into .venv"
	@$(INSTALL) .
	@touch $@

.venv/docs: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "installing the builder of the site into .venv"
	@$(INSTALL) '.[docs]'
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "installing the stitcher and the tools that check it into .venv"
	@$(INSTALL) '.[dev,bench,cluster,formats,ui,docs]'
	@touch $@

.venv/bin/pip:
	@test -n "$(PYTHON)" || { echo "needs Python 3.11, 3.12 or 3.13; found none: make PYTHON=/path/to/it"; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "needs Python 3.11, 3.12 or 3.13; $(PYTHON) is another"; exit 1; }
	$(PYTHON) -m venv --clear .venv
