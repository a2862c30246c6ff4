# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The charts of the keeper's page: JavaScript that draws lines and areas as inline SVG."""

from __future__ import annotations

CHARTS = r"""
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const SPAN = 600;  // seconds that a chart shows
const WIDTH = 600, HEIGHT = 100;  // of the drawing, which is stretched to the plot
const COLOURS = 8;
const DISTINCT = 16;  // of more lines nobody can tell which is whose

function make(tag, classes, parent, text) {
  const one = document.createElement(tag);
  if (classes) one.className = classes;
  if (text !== undefined) one.textContent = text;
  if (parent) parent.append(one);
  return one;
}

function draw(tag, classes, parent) {
  const one = document.createElementNS(SVG, tag);
  one.setAttribute("class", classes);
  parent.append(one);
  return one;
}

function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function number(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(1) : String(Number(value.toFixed(2)));
}

function seconds(value) {
  if (value === null || value === undefined) return "–";
  return value < 1 ? `${number(value * 1000)} ms` : `${number(value)} s`;
}

function percent(value) {
  return value === null || value === undefined ? "–" : `${number(value)} %`;
}

function clock(epoch) {
  return new Date(epoch * 1000).toLocaleTimeString("en-GB");
}

// A round number that is not below the value: 1, 2 or 5 times a power of ten.
function ceiling(value) {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= value * 0.9999);
}

// For what is counted: the middle of the scale is a whole number, too.
function even(value) {
  return 2 * Math.ceil((value + 0.5) / 2);
}

// Colours of replicas: each keeps its own as long as it is shown.
const colours = new Map();

function assignColours(names) {
  for (const name of colours.keys()) if (!names.includes(name)) colours.delete(name);
  for (const name of names) {
    if (colours.has(name)) continue;
    const taken = new Set(colours.values());
    let free = 0;
    while (taken.has(free) && free < COLOURS) free += 1;
    colours.set(name, free < COLOURS ? free : colours.size % COLOURS);
  }
}

function colour(name) {
  return `k${colours.get(name) ?? 7}`;
}

// One chart. `shape`: stack (areas on each other), lines (one for each replica), whole or errors
// (one for all). `key` names the values in the series, `least` is the least top of the scale.
class Chart {
  constructor(title, shape, key, show, least, parent) {
    Object.assign(this, { title, shape, key, show, least, at: null });
    const figure = make("figure", "card", parent);
    const caption = make("figcaption", "", figure);
    make("h3", "", caption, title);
    this.value = make("span", "value", caption);
    this.plot = make("div", "plot", figure);
    this.svg = draw("svg", "", this.plot);
    this.top = make("span", "top-of", this.plot);
    this.middle = make("span", "middle-of", this.plot);
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("role", "img");
    const axis = make("div", "axis", figure);
    axis.setAttribute("aria-hidden", "true");
    make("span", "", axis, "10 min ago");
    make("span", "", axis, "now");
    this.details = make("p", "details", figure);
    this.plot.addEventListener("pointermove", (event) => {
      const box = this.plot.getBoundingClientRect();
      this.at = (event.clientX - box.left) / box.width;
      this.draw(this.series, this.now);
    });
    this.plot.addEventListener("pointerleave", () => {
      this.at = null;
      this.draw(this.series, this.now);
    });
  }

  lists(series) {
    if (this.shape === "whole" || this.shape === "errors") return [["", series.totals[this.key]]];
    return Object.entries(series.replicas).map(([name, values]) => [name, values[this.key]]);
  }

  draw(series, now) {
    if (!series) return;
    Object.assign(this, { series, now });
    const lists = this.lists(series);
    const sums = series.times.map((_time, index) =>
      lists.reduce((sum, [, values]) => sum + (values[index] ?? 0), 0));
    const values = this.shape === "stack" ? sums : lists.flatMap(([, list]) => list);
    const highest = values.reduce((most, one) => Math.max(most, one ?? 0), 0);
    this.scale = Math.max(this.least, this.shape === "whole" ? even(highest) : ceiling(highest));
    set(this.top, this.show(this.scale));
    set(this.middle, this.show(this.scale / 2));
    this.x = series.times.map((time) => WIDTH * (1 - (now - time) / SPAN));
    const paths = this.shape === "stack" ? this.stacked(lists) : this.lines(lists);
    this.svg.setAttribute("class", lists.length > DISTINCT ? "many" : "");
    this.svg.replaceChildren(...paths, ...this.marks(series, now));
    this.tell(series, lists, highest);
  }

  y(value) {
    return (HEIGHT * (1 - value / this.scale)).toFixed(2);
  }

  path(classes, text) {
    const one = document.createElementNS(SVG, "path");
    one.setAttribute("class", classes);
    one.setAttribute("d", text);
    return one;
  }

  // A line has gaps where nothing is known.
  lines(lists) {
    return lists.map(([name, values]) => {
      let text = "", open = false, first = 0, last = 0;
      values.forEach((value, index) => {
        if (value === null) { open = false; return; }
        text += `${open ? "L" : "M"}${this.x[index].toFixed(1)} ${this.y(value)}`;
        if (!text.includes("L")) first = this.x[index];
        last = this.x[index];
        open = true;
      });
      if (this.shape !== "errors") return this.path(name ? `line ${colour(name)}` : "whole", text);
      return this.path("errors", text && `${text}L${last} ${HEIGHT}L${first} ${HEIGHT}Z`);
    });
  }

  stacked(lists) {
    const below = this.x.map(() => 0);
    return lists.map(([name, values]) => {
      const floor = below.slice();
      values.forEach((value, index) => { below[index] += value ?? 0; });
      const points = (list) => list.map((one, i) => `${this.x[i].toFixed(1)} ${this.y(one)}`);
      const text = points(below).concat(points(floor).reverse()).join("L");
      return this.path(`area ${colour(name)}`, text && `M${text}Z`);
    });
  }

  marks(series, now) {
    const found = series.deploys.filter((one) => now - one.time < SPAN).map((one) => {
      const mark = this.vertical(WIDTH * (1 - (now - one.time) / SPAN),
        `deploy${one.result === "failed" ? " bad" : ""}`);
      const title = document.createElementNS(SVG, "title");
      title.textContent = deployText(one);
      mark.append(title);
      return mark;
    });
    const index = this.index();
    return index === null ? found : [...found, this.vertical(this.x[index], "cursor")];
  }

  vertical(x, classes) {
    const one = document.createElementNS(SVG, "line");
    const attributes = { x1: x, x2: x, y1: 0, y2: HEIGHT, class: classes };
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    return one;
  }

  // The step under the pointer; null if there is no pointer.
  index() {
    if (this.at === null || !this.x.length) return null;
    const x = this.at * WIDTH;
    return this.x.reduce((best, one, i) =>
      Math.abs(one - x) < Math.abs(this.x[best] - x) ? i : best, 0);
  }

  // The value beside the title, those of the replicas below, and the text alternative.
  tell(series, lists, highest) {
    const index = this.index() ?? series.times.length - 1;
    const known = lists.map(([name, list]) => [name, list[index] ?? null])
      .filter(([, one]) => one !== null);
    const list = known.map(([, one]) => one);
    const sum = list.reduce((one, other) => one + other, 0);
    const whole = { stack: sum, lines: Math.max(...list) }[this.shape] ?? list[0];
    const value = list.length ? this.show(whole) : "–";
    const most = this.shape === "lines" && list.length > 1 ? "highest " : "";
    set(this.value, `${most}${value}`);
    const named = known.filter(([name]) => name).map(([name, one]) => `${name} ${this.show(one)}`);
    const parts = named.length > 4 ? [`${named.length} replicas`] : named;
    const when = this.at === null ? [] : [clock(series.times[index])];
    set(this.details, [...when, ...parts].join(" · "));
    this.svg.setAttribute("aria-label",
      `${this.title}: ${most}${value} now, at most ${this.show(highest)} in ten minutes`);
  }
}

function deployText(one) {
  const what = one.version === null ? one.what : `${one.what} of version ${one.version}`;
  return `${what}: ${one.result}`;
}
"""
