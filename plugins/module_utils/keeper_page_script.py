# Copyright (c) 2026 digiz.load_balancing contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the keeper's page does: JavaScript that asks for the state each second, shows it as text,
and says so when nobody answers.
"""

from __future__ import annotations

MAIN = r"""
const byId = (id) => document.getElementById(id);
const LEVELS = {
  ok: "good", healthy: "good", info: "good", succeeded: "good", yes: "good",
  degraded: "fair", starting: "fair", warning: "fair", interrupted: "fair", running: "fair",
  down: "bad", blind: "bad", ill: "bad", stopped: "bad", error: "bad", failed: "bad",
};

const chart = (title, shape, key, show, least) =>
  new Chart(title, shape, key, show, least, byId("charts"));
const charts = [
  chart("Requests per second, by replica", "stack", "requests_per_second", number, 1),
  chart("Response time p95", "lines", "response_p95", seconds, 0.01),
  chart("Errors (5xx)", "errors", "error_percent", percent, 1),
  chart("Processor, of each replica's limit", "lines", "cpu_percent", percent, 100),
  chart("Memory, of each replica's limit", "lines", "memory_percent", percent, 100),
  chart("Replicas that get traffic", "whole", "members", number, 2),
];
let status = null, series = null, answered = 0;

function badge(node, word) {
  set(node, word);
  node.className = `badge ${LEVELS[word] ?? "soft"}`;
}

function duration(length) {
  for (const [unit, one] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (length >= 2 * one) return `${Math.floor(length / one)} ${unit}`;
  }
  return `${Math.max(0, Math.floor(length))} s`;
}

// Children of a list or table, one for each key; those that stay are not made anew.
function keep(parent, keys, build) {
  parent.nodes ??= new Map();
  for (const [key, node] of parent.nodes) {
    if (!keys.includes(key)) { node.remove(); parent.nodes.delete(key); }
  }
  keys.forEach((key, index) => {
    if (!parent.nodes.has(key)) parent.nodes.set(key, build(key));
    const node = parent.nodes.get(key);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  return parent.nodes;
}

function showHead() {
  document.title = `${status.stack}: ${status.state}`;
  set(byId("stack"), status.stack);
  badge(byId("state"), status.state);
  set(byId("text"), status.text);
  const facts = [
    `${status.healthy} of ${status.wanted} replicas healthy`,
    `${status.members.length} get traffic`,
    `version ${status.version}`,
    `release ${status.release}`,
    `generation ${status.generation}${status.served ? "" : ", not served yet"}`,
    status.balancer_running ? "" : "the balancer does not run",
    status.maintenance ? "in maintenance" : "",
    status.deploy && `at work: ${status.deploy}`,
  ].filter(Boolean);
  const list = byId("facts");
  const nodes = keep(list, facts.map((_fact, index) => index), () => make("li"));
  facts.forEach((fact, index) => set(nodes.get(index), fact));
}

function showFigures(load) {
  const rows = [
    ["Requests per minute", number(load.requests_per_minute),
      `${number(load.requests)} in ${duration(load.covered_seconds)}`],
    ["Response p95", seconds(load.response_p95), `half within ${seconds(load.response_p50)}`],
    ["First byte p95", seconds(load.first_byte_p95), ""],
    ["Errors", percent(load.error_percent),
      `${number(load.statuses["5xx"])} × 5xx, ${number(load.retried)} tried again`],
    ["Refused by limits", number(load.limited), "status 429"],
    ["Processor", percent(load.cpu_percent), "mean of the replicas' limits"],
    ["Memory", percent(load.memory_percent), "highest replica, of its limit"],
  ];
  const nodes = keep(byId("figures"), rows.map(([title]) => title), (title) => {
    const one = make("div", "card");
    make("dt", "", one, title);
    const value = make("dd", "", one);
    one.value = make("span", "", value);
    one.note = make("small", "", value);
    return one;
  });
  for (const [title, value, note] of rows) {
    set(nodes.get(title).value, value);
    set(nodes.get(title).note, note);
  }
}

function buildRow(labels) {
  const row = make("tr");
  row.setAttribute("role", "row");
  row.cells_ = labels.map((label, index) => {
    const cell = make(index ? "td" : "th", "", row);
    cell.setAttribute("role", index ? "cell" : "rowheader");
    if (index) cell.dataset.label = label; else cell.scope = "row";
    cell.swatch = index ? null : make("span", "swatch", cell);
    cell.text = make("span", "", cell);
    cell.note = make("small", "", cell);
    return cell;
  });
  return row;
}

function meter(cell, value, kind) {
  if (!cell.fill) {
    const bar = make("div", "meter", cell);
    bar.setAttribute("aria-hidden", "true");
    cell.fill = make("div", "fill", bar);
  }
  cell.fill.className = `fill ${kind}`;
  cell.fill.style.setProperty("--w", String(Math.min(100, value ?? 0)));
}

function level(value) {
  if (value >= 95) return "bad";
  return value >= 80 ? "fair" : "";
}

function showReplicas(now) {
  const labels = [...document.querySelectorAll("thead th")].map((one) => one.textContent);
  const names = status.replicas.map((one) => one.name);
  const rows = keep(byId("replicas"), names, () => buildRow(labels));
  for (const one of status.replicas) {
    const load = status.load.replicas[one.name] ?? {};
    const cells = rows.get(one.name).cells_;
    cells[0].swatch.className = `swatch ${colour(one.name)}`;
    const { name, state, member } = one;
    Object.assign(rows.get(name).dataset, { name, state, member });
    const texts = [
      [one.name, `version ${one.version}${one.current ? "" : ", of another release"}`],
      [one.state, one.state !== "healthy" && one.reason || `for ${duration(now - one.since)}`],
      [one.member ? "yes" : "no", ""],
      [percent(load.share_percent), `${number(load.requests ?? 0)} requests`],
      [percent(load.error_percent), ""],
      [seconds(load.response_p95), `probe ${seconds(one.probe_seconds)}`],
      [percent(load.cpu_percent), ""],
      [percent(load.memory_percent), ""],
      [one.in_flight === null ? "?" : number(one.in_flight), ""],
      [number(one.restarts), ""],
    ];
    texts.forEach(([text, note], index) => {
      set(cells[index].text, text);
      set(cells[index].note, note);
    });
    badge(cells[1].text, one.state);
    cells[2].text.className = one.member ? "good" : "fair";
    meter(cells[3], load.share_percent, colour(one.name));
    meter(cells[6], load.cpu_percent, level(load.cpu_percent));
    meter(cells[7], load.memory_percent, level(load.memory_percent));
  }
}

function day(epoch) {
  return new Date(epoch * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}

function logLine(key) {
  const [time, word, text] = JSON.parse(key);
  const one = make("li");
  const old = Date.now() / 1000 - time > 43200;
  const moment = make("time", "", one, old ? `${day(time)} ${clock(time)}` : clock(time));
  moment.dateTime = new Date(time * 1000).toISOString();
  moment.title = new Date(time * 1000).toString();
  badge(make("span", "", one), word);
  one.append(text);
  return one;
}

function showLists() {
  const deploys = status.deploys.slice().reverse().map((one) => {
    const count = one.replicas === null ? "" : `, ${one.replicas} replicas`;
    const version = one.version === null ? "" : ` of version ${one.version}`;
    return JSON.stringify([one.time, one.result, `${one.what}${version}${count}`]);
  });
  keep(byId("deploys"), [...new Set(deploys)], logLine);
  const changes = status.changes.map((one) => JSON.stringify([one.time, one.level, one.text]));
  keep(byId("changes"), [...new Set(changes)], logLine);
}

function showLegend(names) {
  const nodes = keep(byId("legend"), [...names, "deploy"], (name) => {
    const one = make("li");
    one.swatch = make("span", name === "deploy" ? "mark" : "swatch", one);
    make("span", "", one, name);
    return one;
  });
  for (const name of names) nodes.get(name).swatch.className = `swatch ${colour(name)}`;
}

function show() {
  const now = status.time + status.age + (performance.now() - answered) / 1000;
  const names = [...new Set([
    ...status.replicas.map((one) => one.name), ...Object.keys(series?.replicas ?? {}),
  ])].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
  assignColours(names);
  showHead();
  showFigures(status.load);
  showLegend(names.length > DISTINCT ? [] : names);
  for (const one of charts) one.draw(series, now);
  showReplicas(now);
  showLists();
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  return data;
}

async function look() {
  try {
    if (document.hidden) return;
    status = await ask("/status.json");
    answered = performance.now();
    series = await ask("/series.json");
    byId("trouble").hidden = true;
    show();
  } catch (error) {
    const since = status ? `What is shown is of ${clock(status.time)}. ` : "";
    set(byId("trouble"), `${since}The keeper gives no answer: ${error.message}`);
    byId("trouble").hidden = false;
  } finally {
    setTimeout(look, 1000);
  }
}

look();
"""
