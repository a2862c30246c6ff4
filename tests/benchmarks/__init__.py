# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measurements against other ways of doing the same, side by side in one run; run by name only.

Everything happens on loopback and in containers of this machine, and ends within minutes. Each
benchmark prints a table and asserts its bar. What is compared is measured in turns, several rounds,
and judged by the median of the rounds' ratios: whatever else the machine does meanwhile meets all.
"""
