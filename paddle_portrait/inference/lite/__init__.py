"""Paddle Lite lives in a Python environment of its own, made by ``make lite-env``; these modules reach into it.

Its wheels exist for Python 3.8 and 3.10, with numpy 1: under numpy 2 its answers were noise, without a word. And it
aborts its process instead of raising. So ``worker.py`` and ``opt.py`` are scripts that run over there, and import
nothing of this package.
"""
