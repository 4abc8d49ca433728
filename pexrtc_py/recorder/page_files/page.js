"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const total = Math.max(data.duration_s, 0.001);
const byId = (id) => document.getElementById(id);
const make = (tag, text, parent, className) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (className) element.className = className;
  parent.append(element);
  return element;
};
const clock = (s) => {
  const whole = Math.floor(s);
  const two = (n) => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
};

// One player a file; all follow the recording's clock. A file's 0 is where its first stream says.
const starts = new Map();
for (const stream of data.streams) {
  if (!starts.has(stream.file)) starts.set(stream.file, stream.file_start_s || 0);
}
const players = data.files.map((file) => {
  const video = make("video", "", byId("players"));
  video.controls = true;
  video.preload = "metadata";
  video.src = encodeURIComponent(file.name);
  video.dataset.start = starts.get(file.name) || 0;
  return video;
});
const main = players[0];

// Who speaks, and what is written, as subtitles: made here, because a page opened from a disk may load no other file.
// What a cue shows is markup of WebVTT, so names are escaped.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\r?\n+/g, "\n");
const subtitle = (label, cues, mode) => {
  for (const player of cues.length ? players : []) {
    const track = player.addTextTrack("subtitles", label);
    const offset = Number(player.dataset.start);
    for (const [start, end, text] of cues) {
      if (end > offset) track.addCue(new VTTCue(Math.max(0, start - offset), end - offset, escaped(text)));
    }
    track.mode = mode;
  }
};
subtitle("Speakers", data.speakers.map((one) => [one.start_s, one.end_s, one.name]), "showing");
subtitle("Chat", data.chat.map((one) => [one.at_s, one.at_s + 5, `\u2068${one.name}\u2069: ${one.text}`]), "hidden");
const seek = (s) => {
  for (const player of players) player.currentTime = Math.max(0, s - Number(player.dataset.start));
  if (main) main.play().catch(() => {});
};

const title = (data.about && (data.about.alias || data.about.title)) || (data.files[0] && data.files[0].name) || "Recording";
document.title = title;
byId("title").textContent = title;
byId("facts").textContent =
  `${data.began_at || "no media"} · ${clock(data.duration_s)} · ended: ${data.ended} · ` +
  `${data.quality.lost_packets} packets lost in ${data.quality.gaps} gaps`;

const markers = [];
const row = (name, stretches, kind) => {
  const line = make("div", "", byId("timeline"), "row");
  make("span", name, line, "name").title = name;
  const bar = make("div", "", line, "bar");
  for (const stretch of stretches) {
    const part = make("button", "", bar, kind);
    part.style.left = `${(100 * stretch.start_s) / total}%`;
    part.style.width = `${(100 * (stretch.end_s - stretch.start_s)) / total}%`;
    part.title = `${name} ${clock(stretch.start_s)}–${clock(stretch.end_s)}`;
    part.addEventListener("click", () => seek(stretch.start_s));
  }
  markers.push(make("span", "", bar, "now"));
};
const grouped = new Map();
for (const speech of data.speakers) {
  if (!grouped.has(speech.participant_uuid)) grouped.set(speech.participant_uuid, []);
  grouped.get(speech.participant_uuid).push(speech);
}
for (const speeches of grouped.values()) row(speeches[0].name, speeches, "speaker");
if (data.presentations.length) row("presentation", data.presentations, "presentation");
if (data.holes.length) row("no media", data.holes, "gap");

// Names stand in a `bdi` each: one that turns the direction of writing turns itself alone.
const entry = (list, at, text, name) => {
  const item = make("li", "", byId(list));
  make("button", clock(at), item).addEventListener("click", () => seek(at));
  if (name !== undefined) make("bdi", name, item);
  make("span", name === undefined ? text : `: ${text}`, item);
};
for (const chapter of data.chapters) entry("chapters", chapter.start_s, chapter.title);
for (const message of data.chat) entry("chat", message.at_s, message.text, message.name);
for (const person of data.people) {
  const item = make("li", "", byId("people"));
  make("bdi", person.name, item);
  make("span", ` (${person.role})`, item);
}

if (main) {
  main.addEventListener("timeupdate", () => {
    const at = main.currentTime + Number(main.dataset.start);
    for (const marker of markers) marker.style.left = `${(100 * at) / total}%`;
  });
}
