"use strict";
/* The dashboard: asks the API of docs/http.md now and then, and draws what it says. Nothing is kept but what was read
 * last; while evenkeeld does not answer, that stays on the screen and the pill above says so. */
(() => {
  const MANY = 60;        // hosts: from here on a heat map, and the list in pages
  const PAGE = 25;
  const state = {hosts: null, status: null, plan: null, offer: null, page: 0, startedAt: 0, chosen: null};
  const $ = (id) => document.getElementById(id);

  /* ---- elements ---- */

  // el("div", "class", "text" or elements...)
  function el(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  // One child per item, kept while its key stays: bars move instead of being made anew.
  function sync(container, items, keyOf, make, update) {
    const before = new Map([...container.children].map((child) => [child.dataset.key, child]));
    const seen = new Map();
    let at = container.firstElementChild;
    for (const item of items) {
      let key = String(keyOf(item));
      const times = (seen.get(key) || 0) + 1;
      seen.set(key, times);
      if (times > 1) key += ` #${times}`;
      let node = before.get(key);
      before.delete(key);
      if (!node) {
        node = make(item);
        node.dataset.key = key;
      }
      if (node === at) at = at.nextElementSibling;
      else container.insertBefore(node, at);
      update(node, item);
    }
    for (const node of before.values()) node.remove();
  }

  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  function bar(label, className) {
    const node = el("div", `bar ${className || ""}`, el("span", "", label), el("span", "track", el("i"), el("b")), el("span"));
    node.setAttribute("role", "meter");
    node.setAttribute("aria-label", label);
    node.setAttribute("aria-valuemin", "0");
    node.setAttribute("aria-valuemax", "1");
    node.querySelector("b").hidden = true;
    return node;
  }

  function setBar(node, value, text, mark) {
    const known = Number.isFinite(value);
    node.querySelector("i").style.width = `${100 * Math.min(1, Math.max(0, known ? value : 0))}%`;
    node.setAttribute("aria-valuenow", known ? value.toFixed(3) : "0");
    setText(node.lastElementChild, known ? text : "-");
    const line = node.querySelector("b");
    line.hidden = mark === undefined;
    if (mark !== undefined) line.style.left = `calc(${100 * mark}% - 1px)`;
  }

  /* ---- texts ---- */

  const percent = (ratio) => `${Math.round(100 * ratio)} %`;

  function span(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
  }

  function when(ms) {
    const at = new Date(ms);
    const today = new Date().toDateString() === at.toDateString();
    return today ? at.toLocaleTimeString() : at.toLocaleString();
  }

  const mib = (value) => value >= 10240 ? `${(value / 1024).toFixed(1)} GiB` : `${Math.round(value)} MiB`;

  /* ---- asking ---- */

  const token = () => sessionStorage.getItem("token");

  async function ask(path, method = "GET", body = undefined) {
    const headers = {}, shown = token();
    if (shown) headers.Authorization = `Bearer ${shown}`;
    if (method === "POST") headers["Content-Type"] = "application/json";
    const answer = await fetch(path, {method, headers, body, cache: "no-store", signal: AbortSignal.timeout(20000)});
    const document = await answer.json();
    if (answer.status === 401) {
      if (token() !== shown) return ask(path, method, body);  // another was given while this one was under way
      sessionStorage.removeItem("token");
      throw Object.assign(new Error("the token is needed"), {needsToken: true});
    }
    if (!answer.ok) throw Object.assign(new Error(document.text || document.reason || `status ${answer.status}`), {said: true});
    return document;
  }

  let asked = Promise.resolve();   // the question on the screen; the next waits for its answer

  function dialog(text, name, type) {
    return asked = asked.then(() => show(text, name, type));
  }

  function show(text, name, type) {
    const box = $("ask");
    setText($("ask-text"), text);
    $("ask-label").hidden = !name;
    setText($("ask-name"), name || "");
    $("ask-input").type = type || "text";
    $("ask-input").value = "";
    box.returnValue = "no";
    return new Promise((resolve) => {
      box.addEventListener("close", () => resolve(box.returnValue === "yes" ? $("ask-input").value || true : null), {once: true});
      box.showModal();
    });
  }

  let declined = false;   // to give the token: not asked for again but by a click on the pill
  let tokenAsked = null;  // all who need the token wait for the one answer

  function needToken() {
    tokenAsked ||= dialog("The token of http.token_file is needed for that. It is kept until this tab is closed.", "Token", "password")
      .then((given) => {
        tokenAsked = null;
        declined = typeof given !== "string";
        if (!declined) sessionStorage.setItem("token", given.trim());
        return !declined;
      });
    return tokenAsked;
  }

  // Asks whether it is meant, for the token if need be, and shows what came of it.
  async function change(question, path, method = "POST", body = "") {
    if (question && await dialog(question) === null) return;
    for (let tries = 0; tries < 3; tries++) {
      if (!token() && !await needToken()) return;
      try {
        say((await ask(path, method, method === "POST" ? body : undefined)).text, "good");
        refreshSoon();
        return;
      } catch (error) {
        if (!error.needsToken) {
          say(error.message, "bad");
          return;
        }
      }
    }
  }

  /* ---- how it is with evenkeeld ---- */

  let saidUntil = 0;

  function pill(text, className) {
    const node = $("link");
    setText(node, text);
    node.className = `pill ${className}`;
  }

  function say(text, className) {
    saidUntil = Date.now() + 8000;
    pill(text, className);
  }

  let lostAt = 0;

  function answered() {
    const was = lostAt;
    lostAt = 0;
    if (was) say("evenkeeld answers again", "good");
    else if (Date.now() > saidUntil) pill("live", "good");
  }

  function unanswered(error) {
    lostAt = lostAt || Date.now();
    const since = span(Date.now() - lostAt);
    pill(error.needsToken ? "the token is needed to look; click here"
      : error.said ? error.message
        : `evenkeeld does not answer, for ${since}; trying again`, "bad");
  }

  // "cpu 0.120, memory 0.049"; "" when no host counts.
  const levelsOf = (imbalance) => Object.entries(imbalance || {}).map(([name, value]) => `${name} ${value.toFixed(3)}`).join(", ");

  /* ---- hosts ---- */

  const uses = (host, resource) => host.utilization ? host.utilization[resource] : NaN;

  function grade(value, target) {
    return value > target ? "bad" : value > 0.8 * target ? "warn" : "good";
  }

  function drawHosts() {
    const {hosts, imbalance, target_max: target} = state.hosts;
    const up = hosts.filter((host) => host.state === "up").length;
    const domains = hosts.reduce((sum, host) => sum + (host.domains || 0), 0);
    const levels = levelsOf(imbalance);
    setText($("hosts-sum"), `${up} of ${hosts.length} up, ${counted(domains, "domain")}${levels ? `; imbalance (0 is level): ${levels}` : ""}`);
    const many = hosts.length > MANY;
    $("heat").hidden = !many;
    $("hosts-tools").hidden = !many;
    if (many) drawHeat(hosts, target);
    const shown = many ? pageOf(hosts) : hosts;
    sync($("hosts"), shown, (host) => host.name, makeHost, (node, host) => updateHost(node, host, target));
  }

  function pageOf(hosts) {
    const wanted = $("hosts-filter").value.toLowerCase();
    const order = $("hosts-order").value;
    const figure = (host) => order === "domains" ? host.domains || 0 : Number.isFinite(uses(host, order)) ? uses(host, order) : -1;
    const found = hosts.filter((host) => host.name.toLowerCase().includes(wanted));
    if (order !== "name") found.sort((a, b) => figure(b) - figure(a));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    setText($("hosts-page"), `${state.page + 1} of ${pages}`);
    $("hosts-back").disabled = state.page === 0;
    $("hosts-on").disabled = state.page + 1 >= pages;
    return found.slice(state.page * PAGE, (state.page + 1) * PAGE);
  }

  function makeHost(host) {
    const button = el("button", "small", "Empty it");
    button.type = "button";
    const node = el("div", "row host", el("div", "", el("span", "name", host.name), " ", el("span", "chip")),
      bar("CPU"), bar("memory"), el("div", "small"), el("div", "small bad full"));
    button.addEventListener("click", async () => {
      const inMaintenance = maintained(host.name);
      if (inMaintenance) {
        await change(`Use ${host.name} again?`, `/api/v1/maintenance/${encodeURIComponent(host.name)}`, "DELETE");
      } else {
        const reason = await dialog(`Empty ${host.name}? All its domains are migrated away.`, "Reason");
        if (reason !== null) {
          await change(null, `/api/v1/maintenance/${encodeURIComponent(host.name)}`, "POST",
            JSON.stringify(reason === true ? {} : {reason}));
        }
      }
    });
    node.children[0].append(" ", button);
    return node;
  }

  function maintained(name) {
    return state.status && state.status.maintenance.find((item) => item.host === name);
  }

  function updateHost(node, host, target) {
    const [head, cpu, memory, facts, error] = node.children;
    const chip = head.querySelector(".chip");
    const item = maintained(host.name);
    const text = host.state !== "up" ? host.state : item ? item.status ? item.status.state : "to be emptied" : "";
    setText(chip, text);
    chip.hidden = text === "";
    chip.className = `chip ${host.state !== "up" ? "bad" : "warn"}`;
    setText(head.querySelector("button"), item ? "Use it again" : "Empty it");
    for (const [bars, resource] of [[cpu, "cpu"], [memory, "memory"]]) {
      const value = uses(host, resource);
      bars.className = `bar ${grade(value, target[resource])}`;
      setBar(bars, value, percent(value), target[resource]);
    }
    setText(facts, host.utilization ? `${counted(host.domains, "domain")}, ${counted(host.cpu_cores, "core")}, ${mib(host.memory_mib)}` : "never seen, or down");
    setText(error, host.error || "");
    error.hidden = !host.error;
  }

  /* ---- the heat map: a cell per host, its upper half CPU, its lower half memory ---- */

  const heat = {columns: 1, size: 1};

  function colours() {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["good", "warn", "bad", "empty", "text"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  function drawHeat(hosts, target) {
    const canvas = $("heat-map");
    const width = canvas.clientWidth;
    if (width === 0) return;
    const size = Math.max(9, Math.min(26, Math.floor(Math.sqrt(width * 220 / hosts.length))));
    const columns = Math.max(1, Math.floor(width / size));
    const height = Math.ceil(hosts.length / columns) * size;
    const scale = window.devicePixelRatio || 1;
    const palette = colours();
    Object.assign(heat, {columns, size});
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const draw = canvas.getContext("2d");
    draw.scale(scale, scale);
    hosts.forEach((host, i) => {
      const x = i % columns * size;
      const y = Math.floor(i / columns) * size;
      ["cpu", "memory"].forEach((resource, half) => {
        const value = uses(host, resource);
        const top = y + half * (size - 1) / 2;
        draw.globalAlpha = 1;
        draw.fillStyle = palette.empty;
        draw.fillRect(x, top, size - 1, (size - 1) / 2);
        if (Number.isFinite(value)) {
          draw.globalAlpha = 0.15 + 0.85 * Math.min(1, value);
          draw.fillStyle = palette[grade(value, target[resource])];
          draw.fillRect(x, top, size - 1, (size - 1) / 2);
        }
      });
      if (host.state !== "up" || maintained(host.name) || host.name === state.chosen) {
        draw.globalAlpha = 1;
        draw.strokeStyle = host.state !== "up" ? palette.bad : palette.text;
        draw.strokeRect(x + 0.5, y + 0.5, size - 2, size - 2);
      }
    });
    describe(hosts);
  }

  function describe(hosts) {
    const host = hosts.find((one) => one.name === state.chosen);
    setText($("heat-says"), host
      ? `${host.name}: ${host.state}, CPU demand ${percent(uses(host, "cpu") || 0)}, memory demand ${percent(uses(host, "memory") || 0)}, ${counted(host.domains || 0, "domain")}`
      : "Each cell is a host: CPU demand above, memory demand below; point at one.");
  }

  function hostAt(event) {
    const box = $("heat-map").getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / heat.size);
    const row = Math.floor((event.clientY - box.top) / heat.size);
    return column < heat.columns && state.hosts ? state.hosts.hosts[row * heat.columns + column] : undefined;
  }

  /* ---- migrations ---- */

  /* A domain that is saved or shut down goes nowhere. */
  function wayOf(order) {
    return order.destination ? `${order.source} \u2192 ${order.destination}` : `stays on ${order.source}`;
  }

  function makeMove(record) {
    const order = record.order;
    const button = el("button", "small", "Abort");
    button.type = "button";
    button.addEventListener("click", () =>
      change(`Abort the move of ${order.name || order.domain}? It stays on ${order.source}.`, `/api/v1/abort/${encodeURIComponent(order.id)}`));
    return el("div", "row move", el("div", "", el("span", "name", order.name || order.domain), " ", el("span", "chip")),
      el("div", "", wayOf(order)), bar("copied", "move-bar"), button, el("div", "small full"), el("div", "small bad full"));
  }

  function updateMove(node, record) {
    const [head, , copied, , facts, error] = node.children;
    setText(head.querySelector(".chip"), record.state);
    setBar(copied, record.progress, percent(record.progress));
    const parts = [record.order.kind];
    if (record.eta_ms >= 0) parts.push(`${span(record.eta_ms)} left`);
    if (record.rate_mib_s > 0) parts.push(`${Math.round(record.rate_mib_s)} MiB/s`);
    if (record.dirty_mib_s > 0) parts.push(`writes ${Math.round(record.dirty_mib_s)} MiB/s`);
    if (record.transferred_mib > 0) parts.push(`${mib(record.transferred_mib)} copied`);
    if (record.attempt > 1) parts.push(`attempt ${record.attempt}`);
    if (record.started_at_ms > 0) parts.push(`for ${span(Date.now() - record.started_at_ms)}`);
    if (record.order.reason) parts.push(record.order.reason);
    setText(facts, parts.join(" \u00b7 "));
    setText(error, record.error);
    error.hidden = !record.error;
  }

  const OVER = new Set(["done", "rejected", "rolled-back", "cancelled", "guest-off", "vm-down", "unverified", "failed", "unknown"]);

  function drawMoves(document) {
    sync($("moves"), document.running, (record) => record.order.id, makeMove, updateMove);
    $("moves-none").hidden = document.running.length > 0;
    const ended = document.recent.filter((record) => OVER.has(record.state)).slice(0, 20);
    sync($("recent"), ended, (record) => record.order.id, makeEnded, updateEnded);
    $("recent-none").hidden = ended.length > 0;
  }

  function makeEnded() {
    return el("div", "", el("span", "chip"), " ", el("span", "name"), " ", el("span"), el("div", "small"));
  }

  function updateEnded(node, record) {
    const [chip, name, way, facts] = node.children;
    const took = record.started_at_ms > 0 ? span(record.updated_at_ms - record.started_at_ms) : "";
    setText(chip, record.state);
    chip.className = `chip ${record.state === "done" ? "good" : record.state === "unknown" || record.state === "unverified" ? "bad" : "warn"}`;
    setText(name, record.order.name || record.order.domain);
    setText(way, wayOf(record.order));
    setText(facts, [when(record.updated_at_ms), record.order.kind, took,
      record.state === "done" && record.downtime_ms > 0 ? `downtime ${record.downtime_ms} ms` : "",
      record.transferred_mib > 0 ? mib(record.transferred_mib) : "",
      record.error || record.order.reason].filter(Boolean).join(" \u00b7 "));
  }

  /* ---- status, maintenance ---- */

  function drawStatus() {
    const status = state.status;
    const balancer = status.balancer;
    const notices = [];
    if (balancer) {
      if (state.startedAt && state.startedAt !== balancer.started_at_ms) say("evenkeeld has restarted", "good");
      state.startedAt = balancer.started_at_ms;
      setText($("balancer"), `${balancer.identity} leads, ${balancer.mode}, policy ${balancer.policy}, up ${span(status.taken_at_ms - balancer.started_at_ms)}. `
        + `Cycle ${balancer.cycles}: ${balancer.summary || "none yet"}. ${counted(balancer.running, "move")} under way, ${balancer.waiting} waiting.`);
      if (balancer.policy_file) notices.push(`Policy: ${balancer.policy_file}`);
      if (balancer.holding) notices.push(`Holding: ${balancer.holding}`);
      if (balancer.paused) notices.push(`Paused: ${balancer.paused}`);
      if (balancer.closed) notices.push(`Not now: ${balancer.closed}`);
      if (balancer.circuits) notices.push(`Circuits: ${balancer.circuits}`);
    } else {
      setText($("balancer"), "");
      notices.push("No balancer leads: none has left a status in Redis.");
    }
    for (const record of status.blocked) {
      notices.push(`${record.order.name || record.order.domain} is left alone: its ${record.order.destination ? "move" : record.order.kind} (${wayOf(record.order)}) ended as ${record.state}; evenkeel resolve shows what may be done.`);
    }
    for (const host of status.hosts_not_up.slice(0, 10)) notices.push(`Host ${host.name} is ${host.state}${host.error ? `: ${host.error}` : ""}`);
    if (status.hosts_not_up.length > 10) notices.push(`${status.hosts_not_up.length - 10} more hosts are not up.`);
    for (const flight of status.foreign) notices.push(`${flight.name || flight.domain} migrates from ${flight.source} to ${flight.destination}, not by us.`);
    sync($("notices"), notices, (text) => text, (text) => el("p", "", text), () => {});
    $("notices").hidden = notices.length === 0;
    drawOffer();
    setText($("pause"), balancer && balancer.paused ? "Resume" : "Pause");
    sync($("maintenance"), status.maintenance, (item) => item.host, makeMaintenance, updateMaintenance);
    $("maintenance-none").hidden = status.maintenance.length > 0;
    if (state.hosts) drawHosts();
  }

  // A plan that waits for somebody's word; one that is only recommended cannot be approved. The word is given on the plan
  // that is on the screen: while another one is drawn there are no buttons.
  function drawOffer() {
    const balancer = state.status && state.status.balancer;
    const waits = balancer && balancer.offer_id && balancer.offer_lapses_at_ms > 0;
    const shown = waits && state.plan && state.plan.id === balancer.offer_id;
    state.offer = shown ? {id: balancer.offer_id, moves: balancer.offered} : null;
    $("offer").hidden = !waits;
    $("approve").hidden = $("reject").hidden = !shown;
    if (!waits) return;
    setText($("offer-text"), `Plan ${balancer.offer_id}, ${counted(balancer.offered, "move")}, waits for approval for another ${span(balancer.offer_lapses_at_ms - Date.now())}.`
      + (shown ? "" : ` It is not the one below${state.plan ? `, ${state.plan.id}` : ""}: evenkeel approve takes it by its id.`));
  }

  function makeMaintenance(item) {
    return el("div", "", el("span", "name", item.host), " ", el("span", "chip"), el("div"), el("div", "small"), el("div", "small warn"));
  }

  function updateMaintenance(node, item) {
    const [, chip, line, reason, blockers] = node.children;
    const status = item.status;
    setText(chip, status ? status.state : "wanted");
    chip.className = `chip ${!status ? "" : status.state === "evacuated" ? "good" : status.state === "evacuating" ? "" : "warn"}`;
    const parts = [];
    if (status && status.domains_left !== undefined) parts.push(`${counted(status.domains_left, "domain")} left`);
    if (status && status.feasible === false) parts.push("cannot be emptied as things are");
    if (status && status.eta_s !== undefined) {
      const range = status.eta_low_s !== undefined && status.eta_high_s > status.eta_low_s
        ? ` (${span(1000 * status.eta_low_s)} to ${span(1000 * status.eta_high_s)})` : "";
      parts.push(`empty in ${span(1000 * status.eta_s)}${range}`);
    }
    if (status && status.stops) parts.push(`${status.stops.length} are saved or shut down last`);
    if (item.deadline_ms) {
      const slack = status && status.slack_s;
      const left = slack === undefined ? "" : slack < 0 ? ` (missed by ${span(-1000 * slack)})` : ` (${span(1000 * slack)} to spare)`;
      parts.push(`deadline ${when(item.deadline_ms)}${left}${status && status.pace ? `, pace ${status.pace}` : ""}`);
    }
    setText(line, parts.join(", "));
    setText(reason, item.reason || "");
    setText(blockers, (status ? status.blockers : []).map((one) => `${one.name || one.domain || "the host"}: ${one.reason}`
      + (one.relaxation ? ` (it would help: ${one.relaxation.text}${one.relaxation.host ? `, on ${one.relaxation.host}` : ""})` : "")).join("; "));
    blockers.hidden = blockers.textContent === "";
  }

  /* ---- plan, events ---- */

  function drawPlan(document) {
    const plan = document.plan;
    state.plan = plan;
    drawOffer();
    if (!plan) {
      setText($("plan-sum"), "none yet");
      $("plan").replaceChildren();
      return;
    }
    const [before, after] = [levelsOf(plan.before.imbalance), levelsOf(plan.after.imbalance)];
    setText($("plan-sum"), `${document.fate}: ${plan.summary || plan.policy}. ${before && after ? `Imbalance ${before} \u2192 ${after}; takes` : "It takes"} ${span(1000 * plan.makespan_s)}.`);
    const lines = plan.moves.slice(0, 100).map((move) => ({
      key: `${plan.id}-${move.seq}`, name: move.name || move.domain, way: `${move.source} \u2192 ${move.destination}`,
      facts: `${move.kind} \u00b7 begins after ${span(1000 * move.start_s)}, takes ${span(1000 * move.duration_s)}, ${mib(move.transfer_mib)}`, reason: move.reason,
    }));
    if (plan.moves.length > lines.length) lines.push({key: `${plan.id}-more`, name: `${plan.moves.length - lines.length} more`, way: "", facts: "", reason: ""});
    for (const one of plan.stops || []) {
      lines.push({key: `${plan.id}-stop-${one.domain}`, name: one.name || one.domain, way: `stays on ${one.host}`,
        facts: `${one.kind} \u00b7 last, as its metadata say`, reason: ""});
    }
    for (const one of plan.unresolved) {
      lines.push({key: `${plan.id}-u-${one.domain}`, name: one.name || one.domain, way: `stays on ${one.host}`, facts: "", reason: one.reason});
    }
    sync($("plan"), lines, (line) => line.key,
      (line) => el("div", "", el("span", "name", line.name), " ", line.way, el("div", "", line.reason), el("div", "small", line.facts)), () => {});
  }

  function drawEvents(document) {
    sync($("events"), document.events, (event) => `${event.at_ms} ${event.kind} ${event.subject} ${event.text}`,
      (event) => el("div", "", el("span", "small", `${when(event.at_ms)} \u00b7 ${event.kind}`), el("div", "", event.text)), () => {});
    $("events-none").hidden = document.events.length > 0;
  }

  /* ---- charts ---- */

  const SVG = "http://www.w3.org/2000/svg";

  function svg(tag, attributes, text) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  // lines: {values, className}; drawn at the size that it has, so that its texts keep theirs.
  function chart(box, series, lines, top, form) {
    const width = Math.max(200, box.clientWidth);
    const height = 150;
    const left = 44;
    const bottom = 20;
    const known = lines.flatMap((line) => line.values).filter((value) => value !== null);
    const max = Math.max(top, ...known);
    const count = lines.length > 0 ? lines[0].values.length : 1;
    const x = (i) => left + (width - left - 8) * i / Math.max(1, count - 1);
    const y = (value) => 8 + (height - bottom - 8) * (1 - value / max);
    const picture = svg("svg", {viewBox: `0 0 ${width} ${height}`, height, role: "img"});
    for (const part of [0, 0.5, 1]) {
      picture.append(svg("line", {class: "grid", x1: left, x2: width - 8, y1: y(part * max), y2: y(part * max)}),
        svg("text", {x: left - 6, y: y(part * max) + 4, "text-anchor": "end"}, form(part * max)));
    }
    for (const part of width < 500 ? [0, 1] : [0, 0.5, 1]) {
      const at = new Date(series.from_ms + series.step_ms * part * (count - 1));
      const text = series.step_ms * count > 86400000 * 1.5 ? at.toLocaleDateString() : at.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
      picture.append(svg("text", {x: x(part * (count - 1)), y: height - 4, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle"}, text));
    }
    for (const line of lines) {
      let path = "";
      let pen = false;
      line.values.forEach((value, i) => {
        if (value !== null) path += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}${pen || line.values[i + 1] !== null ? "" : "h1"}`;
        pen = value !== null;
      });
      if (path) picture.append(svg("path", {class: line.className, d: path}));
    }
    box.replaceChildren(picture);
  }

  function drawSeries() {
    const series = state.series;
    if (!series) return;
    chart($("chart-imbalance"), series, ["cpu", "memory"].map((name) => ({values: series.imbalance[name], className: name})), 0.2, (value) => value.toFixed(2));
    for (const name of ["cpu", "memory"]) {
      chart($(`chart-${name}`), series, [
        ...series.hosts.map((host) => ({values: host[name], className: `${name} one`})),
        {values: series.mean[name], className: name}, {values: series.max[name], className: `${name} max`},
      ], 1, percent);
    }
  }

  /* ---- the rounds ---- */

  const rounds = [
    {path: () => "/api/v1/moves", every: () => 1000, take: drawMoves},
    {path: () => "/api/v1/status", every: () => 2000, take: (document) => { state.status = document; drawStatus(); }},
    {path: () => "/api/v1/hosts", every: () => state.hosts && state.hosts.hosts.length > 200 ? 10000 : 4000,
      take: (document) => { state.hosts = document; drawHosts(); performance.mark("hosts"); }},
    {path: () => "/api/v1/plan", every: () => 5000, take: drawPlan},
    {path: () => "/api/v1/events", every: () => 5000, take: drawEvents},
    {path: () => `/api/v1/series?hours=${$("series-hours").value}`, every: () => 60000, take: (document) => { state.series = document; drawSeries(); }},
  ];

  async function go(round) {
    clearTimeout(round.timer);
    if (round.busy) return;
    round.busy = true;
    let again = round.every();
    try {
      if (!document.hidden) {
        round.take(await ask(round.path()));
        answered();
      }
    } catch (error) {
      unanswered(error);
      again = Math.min(again, 2000);
      if (error.needsToken && !declined) await needToken();
    }
    round.busy = false;
    round.timer = setTimeout(() => go(round), again);
  }

  function refreshSoon() {
    for (const round of rounds.slice(0, 3)) go(round);
  }

  /* ---- what people do ---- */

  function redraw() {
    if (state.hosts) drawHosts();
    drawSeries();
  }

  function setTheme(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    redraw();
  }

  $("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    localStorage.setItem("theme", dark ? "light" : "dark");
    setTheme(dark ? "light" : "dark");
  });
  $("link").addEventListener("click", () => { declined = false; rounds.forEach(go); });
  $("pause").addEventListener("click", () => {
    const paused = state.status && state.status.balancer && state.status.balancer.paused;
    change(paused ? "Resume balancing?" : "Pause? Nothing new is balanced; evacuations go on.", `/api/v1/${paused ? "resume" : "pause"}`);
  });
  for (const [id, what] of [["approve", "Carry out"], ["reject", "Drop"]]) {
    $(id).addEventListener("click", () => {
      const offer = state.offer;
      if (offer) change(`${what} plan ${offer.id}, ${counted(offer.moves, "move")}?`, `/api/v1/${id}/${encodeURIComponent(offer.id)}`);
    });
  }
  for (const [id, event] of [["hosts-filter", "input"], ["hosts-order", "change"]]) {
    $(id).addEventListener(event, () => { state.page = 0; drawHosts(); });
  }
  $("hosts-back").addEventListener("click", () => { state.page--; drawHosts(); });
  $("hosts-on").addEventListener("click", () => { state.page++; drawHosts(); });
  $("series-hours").addEventListener("change", () => go(rounds[5]));
  $("heat-map").addEventListener("pointermove", (event) => {
    const host = hostAt(event);
    if (host && host.name !== state.chosen) {
      state.chosen = host.name;
      drawHosts();
    }
  });
  $("heat-map").addEventListener("click", (event) => {
    const host = hostAt(event);
    if (host) {
      $("hosts-filter").value = host.name;
      state.page = 0;
      drawHosts();
    }
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) rounds.forEach(go); });
  let resizing = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(redraw);
  });
  setTheme(localStorage.getItem("theme"));
  rounds.forEach(go);
})();
