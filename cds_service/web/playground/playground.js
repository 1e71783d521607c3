// The playground's script: asks the service for a call, fires it as an EHR would, and shows what comes.
// It writes no HTML of its own. What it puts into the page as HTML comes from this service's templates, which escape
// whatever a record or an answer holds; the rest it sets as text. Its sentences stand in the page, in #words.

const words = JSON.parse(document.getElementById("words").textContent);
const LONGEST_SHOWN = 300_000;
const LONGEST_COMPARED = 2_000_000;
const templates = window.trustedTypes
  ? window.trustedTypes.createPolicy("playground", { createHTML: (html) => html })
  : { createHTML: (html) => html };

const at = (id) => document.getElementById(id);
const say = (id, sentence) => { at(id).textContent = sentence; };
const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
const show = (id, html) => { at(id).innerHTML = templates.createHTML(html); };

const copies = {};
const alias = Math.random().toString(36).slice(2, 10);
let last = null;
let busy = false;

// ---- what is asked

function chosenHook() {
  return document.querySelector('input[name="hook"]:checked').value;
}

function subject() {
  return at("example").value ? { example: at("example").value } : { record: at("pasted").value };
}

function changes() {
  const selects = [...document.querySelectorAll("#record select")].filter((one) => one.value);
  return selects.map((one) => ({ at: Number(one.dataset.change), to: one.value }));
}

function drafts() {
  return [...at("drafts").children].map((row) => ({
    orderable: row.dataset.orderable,
    side: row.dataset.side,
    selected: row.querySelector("input").checked,
  }));
}

function question() {
  const unsent = [...document.querySelectorAll('input[name="unsent"]:checked')].map((one) => one.value);
  const about = { ...subject(), alias: at("new-patient").checked ? alias : "" };
  return { ...about, hook: chosenHook(), drafts: drafts(), changes: changes(), unsent, user: at("user").value };
}

// ---- asking

async function post(address, body) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: text });
}

async function ours(address, body, sentence) {
  const answer = await post(address, body);
  if (!answer.ok) throw new Error(fill(sentence, { diagnostics: diagnostics(await answer.text()) }));
  return answer.json();
}

function diagnostics(text) {
  try {
    return JSON.parse(text).issue.map((one) => one.diagnostics).join("; ");
  } catch {
    return text.slice(0, 200);
  }
}

async function fire(focusOn) {
  if (busy) return;
  if (!at("example").value && !at("pasted").value.trim()) {
    say("status", words["no-record"]);
    at("pasted").focus();
    return;
  }
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  say("status", words.firing);
  try {
    await exchange(focusOn);
  } catch (error) {
    fail(error instanceof TypeError ? words.failed : error.message);
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
  }
}

// What stands on the page belongs to an earlier call: it must not look like the answer to this one.
function fail(sentence) {
  at("empty").hidden = at("parts").hidden = true;
  at("failure").hidden = false;
  at("failure").firstElementChild.textContent = sentence;
  say("status", "");
  last = null;
  goTo(at("failure"));
}

// Moves the focus to what is new; the page moves only where that is not in sight already.
function goTo(element) {
  element.focus({ preventScroll: true });
  const { top } = element.getBoundingClientRect();
  if (top < 0 || top > window.innerHeight / 2) element.scrollIntoView();
}

async function exchange(focusOn) {
  const asked = question();
  const call = await ours("playground/request", asked, words.fault);
  const started = performance.now();
  const answer = await post(call.address, call.request);
  const response = await answer.text();
  const milliseconds = Math.max(1, Math.round(performance.now() - started));
  const answered = { request: call.request, status: answer.status, response };
  const about = JSON.stringify([subject(), asked.hook]);
  const comparable = last && last.about === about && call.request.length < LONGEST_COMPARED;
  const before = comparable ? last.answered : null;
  const status = fill(words.status, { status: answer.status, milliseconds });
  showExchange(call, answered, status);
  show("record", call.record);
  at("change").hidden = false;
  last = { about, answered, feedback: `${call.address}/feedback` };
  const parts = await ours("playground/answer", { ...answered, before }, words["no-show"]);
  for (const name of ["cards", "differences", "why", "timeline", "problems"]) show(name, parts[name]);
  at("differences-part").hidden = !parts.differences;
  at("empty").hidden = at("failure").hidden = true;
  at("parts").hidden = false;
  say("status", `${status}. ${parts.said}`);
  watchFilter();
  goTo(at(focusOn === "differences" && parts.differences ? "differences-title" : "cards-title"));
}

function showExchange(call, answered, status) {
  const pretty = indented(answered.response);
  Object.assign(copies, { curl: call.curl, python: call.python, sandbox: call.sandbox });
  say("sent-to", `POST ${new URL(call.address, document.baseURI).href}`);
  say("came-with", fill(words.came, { status }));
  for (const [id, text] of [["request", call.request], ["response", pretty], ["curl", call.curl], ["python", call.python]]) {
    const rest = text.length - LONGEST_SHOWN;
    const more = rest > 0 ? `\n${fill(words["too-large-to-show"], { count: rest })}` : "";
    at(id).firstElementChild.textContent = text.slice(0, LONGEST_SHOWN) + more;
  }
  at("sandbox-link").href = call.sandbox;
  say("sandbox-link", call.sandbox);
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  fire("cards");
});

at("change").addEventListener("submit", (event) => {
  event.preventDefault();
  fire("differences");
});

at("restore").addEventListener("click", () => {
  for (const select of document.querySelectorAll("#record select")) select.value = "";
  fire("differences");
});

// ---- the patient

function useOwn(text) {
  at("example").value = "";
  if (text !== undefined) at("pasted").value = text;
  patientChanged();
}

function patientChanged() {
  const option = at("example").selectedOptions[0];
  say("about", option.dataset.about ?? "");
  at("own").hidden = Boolean(option.value);
  forgetChanges();
}

function forgetChanges() {
  at("record").replaceChildren();
  at("change").hidden = true;
}

async function read(file) {
  useOwn(await file.text());
  say("status", fill(words.pasted, { name: file.name }));
}

at("example").addEventListener("change", patientChanged);
at("pasted").addEventListener("input", forgetChanges);
at("file").addEventListener("change", () => { if (at("file").files.length) read(at("file").files[0]); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer.files[0];
  if (file) read(file);
});

// ---- draft orders

function hookChanged() {
  const hook = chosenHook();
  at("orders").hidden = !hook.startsWith("order-");
  at("drafts").classList.toggle("selectable", hook === "order-select");
}

function orderableChanged() {
  at("sides").hidden = !at("orderable").selectedOptions[0].hasAttribute("data-sided");
}

function addDraft() {
  const row = at("draft-row").content.querySelector("li").cloneNode(true);
  const [order, side] = [at("orderable").selectedOptions[0], at("side").selectedOptions[0]];
  const hasSide = order.hasAttribute("data-sided") && side.value !== "";
  row.dataset.orderable = order.value;
  row.dataset.side = hasSide ? side.value : "";
  const name = hasSide ? `${order.textContent}, ${side.textContent}` : order.textContent;
  row.querySelector(".what").textContent = name;
  row.querySelector("input").setAttribute("aria-label", `${row.querySelector(".selected").textContent.trim()}: ${name}`);
  const away = row.querySelector("button");
  away.setAttribute("aria-label", `${away.textContent}: ${name}`);
  away.addEventListener("click", () => {
    row.remove();
    say("status", words.removed);
    at("add").focus();
  });
  at("drafts").append(row);
  say("status", words.added);
}

for (const radio of document.querySelectorAll('input[name="hook"]')) radio.addEventListener("change", hookChanged);
at("orderable").addEventListener("change", orderableChanged);
at("add").addEventListener("click", addDraft);

// ---- what the user does with a card

async function report(card, outcome) {
  const became = card.querySelector(".became");
  became.textContent = words.sending;
  const feedback = { card: card.dataset.card, outcomeTimestamp: new Date().toISOString(), ...outcome };
  try {
    const answer = await post(last.feedback, { feedback: [feedback] });
    const text = await answer.text();
    if (!answer.ok) {
      became.textContent = fill(words["not-taken"], { status: answer.status, diagnostics: diagnostics(text) });
      return;
    }
    became.textContent = fill(words[outcome.outcome], { answer: JSON.parse(text).feedback[0].status });
    card.classList.add("settled", outcome.outcome);
  } catch {
    became.textContent = words.failed;
  }
  became.focus();
}

function accept(button) {
  const card = button.closest("[data-card]");
  report(card, { outcome: "accepted", acceptedSuggestions: [{ id: button.dataset.accept }] });
}

function dismiss(button) {
  const card = button.closest("[data-card]");
  const chosen = card.querySelector(".dismissal select")?.selectedOptions[0];
  const comment = card.querySelector(".dismissal textarea").value.trim();
  const overrideReason = {};
  if (chosen?.value) {
    overrideReason.reason = { system: chosen.dataset.system, code: chosen.value, display: chosen.dataset.display };
  }
  if (comment) overrideReason.userComment = comment;
  const given = Object.keys(overrideReason).length ? { overrideReason } : {};
  report(card, { outcome: "overridden", ...given });
}

at("cards").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.accept) accept(button);
  else if (button?.hasAttribute("data-dismiss")) dismiss(button);
});

// ---- why and why not

function watchFilter() {
  for (const control of document.querySelectorAll("#why .filter input")) control.addEventListener("input", filter);
}

function filter() {
  const kind = document.querySelector('input[name="filter"]:checked').value;
  const sought = at("search").value.trim().toLowerCase();
  let count = 0;
  for (const one of at("reasons").children) {
    one.hidden = (kind && one.dataset.kind !== kind) || !one.dataset.find.includes(sought);
    if (!one.hidden) count += 1;
  }
  say("found", count ? fill(words.matches, { count }) : words["none-match"]);
}

function openReasons(id) {
  const reasons = at(`why-${id}`);
  if (!reasons) return;
  document.querySelector('input[name="filter"]').checked = true;
  at("search").value = "";
  filter();
  reasons.open = true;
  reasons.scrollIntoView();
  reasons.querySelector("summary").focus();
}

at("cards").addEventListener("click", (event) => {
  const link = event.target.closest("[data-why]");
  if (!link) return;
  event.preventDefault();
  openReasons(link.dataset.why);
});

// ---- copying

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(copies[button.dataset.copy]);
    say("copied", words.copied);
  } catch {
    say("copied", words["not-copied"]);
  }
});

hookChanged();
orderableChanged();
patientChanged();
