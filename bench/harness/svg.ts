// Plots of a suite as SVG, written by hand: a panel of bars a row, the best on top, in two columns; or, where rows are points of
// a curve, a panel of lines on logarithmic axes. What is drawn is CPU time: other processes on the machine disturb it least.

import type { PeerResult, Row, SuiteReport } from './result.ts';
import { short } from './table.ts';

const COLOURS: Readonly<Record<string, string>> = {
  ours: '#2563eb',
  'ours-borrow': '#60a5fa',
  'ours-bytes': '#60a5fa',
  'ours-public': '#93c5fd',
  ws: '#475569',
  raw: '#f59e0b',
};
const OTHERS = '#cbd5e1';
const WIDTH = 980;
const MARGIN = 24;
const GUTTER = 28;
const PANEL = (WIDTH - 2 * MARGIN - GUTTER) / 2;
const LABEL = 122;
const VALUE = 118;
const BAR = 15;
const STEP = 20;
const HEAD = 30;
const TOP = 92;
const PLOT = 250;

export function drawChart(report: SuiteReport, caption: string): string {
  const curves = report.rows.filter((row) => row.point !== undefined);
  const panels = curves.length > 0 ? curvePanels(curves) : report.rows.map(barPanel);
  const parts: string[] = [];
  let y = TOP;
  for (let i = 0; i < panels.length; i += 2) {
    const [left, right] = [panels[i]!, panels[i + 1]];
    parts.push(place(left, MARGIN, y));
    if (right) parts.push(place(right, MARGIN + PANEL + GUTTER, y));
    y += Math.max(left.height, right?.height ?? 0) + 18;
  }
  const lines = [legend(report), ...wrap(caption, 150)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="12" fill="#0f172a">
<title>${escaped(report.title ?? report.suite)}</title>
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
${text(MARGIN, 30, report.title ?? report.suite, 'font-size="17" font-weight="700"')}
${lines.map((line, i) => text(MARGIN, 47 + 14 * i, line, 'fill="#64748b" font-size="11"')).join('\n')}
${parts.join('\n')}
</svg>
`;
}

interface Panel {
  readonly height: number;
  readonly parts: readonly string[];
}

function place({ parts }: Panel, x: number, y: number): string {
  return `<g transform="translate(${x} ${y})">\n${parts.join('\n')}\n</g>`;
}

// ── bars ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

function barPanel(row: Row): Panel {
  const memory = row.peers.some((peer) => peer.memory);
  const figure = (peer: PeerResult) => peer.memory?.median ?? perSecond(peer);
  const peers = row.peers.filter((peer) => figure(peer) > 0);
  peers.sort((a, b) => (memory ? figure(a) - figure(b) : figure(b) - figure(a)));
  const longest = Math.max(...peers.map(figure));
  const parts = [text(0, 12, row.name, 'font-weight="600" font-size="13"')];
  for (const [i, peer] of peers.entries()) {
    const y = HEAD - 8 + i * STEP;
    const length = (figure(peer) / longest) * (PANEL - LABEL - VALUE);
    const weight = peer.peer.startsWith('ours') ? ' font-weight="600"' : '';
    parts.push(
      text(LABEL - 8, y + 12, label(peer.peer), `text-anchor="end"${weight}`),
      `<rect x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="2" fill="${COLOURS[peer.peer] ?? OTHERS}"/>`,
      text(LABEL + length + 6, y + 12, valueText(peer), `fill="#475569"${weight}`),
    );
  }
  return { height: HEAD + peers.length * STEP, parts };
}

function valueText(peer: PeerResult): string {
  if (peer.memory) return peer.memory.median.toFixed(2);
  const ratio = peer.versus['ws'];
  return `${short(perSecond(peer))}${ratio ? ` · ${ratio.cpu.toPrecision(2)} × ws` : ''}`;
}

/** Units that a second of CPU time is enough for. */
function perSecond({ cpu }: PeerResult): number {
  return cpu ? 1e6 / cpu.median : 0;
}

/** What the lengths of bars mean. */
function legend({ rows }: SuiteReport): string {
  const [row] = rows;
  if (row === undefined) return '';
  if (row.point) return 'CPU time of the process under test; less is better.';
  if (row.peers.some((peer) => peer.memory)) return `${row.unit}; less is better.`;
  return `${row.unit}s that one second of CPU time of the process under test is enough for; more is better.`;
}

/** What people call it who do not know this benchmark. */
function label(peer: string): string {
  if (peer === 'ours') return 'sansocket';
  if (peer.startsWith('ours-')) return `sansocket, ${peer.slice(5)}`;
  return peer === 'raw' ? 'bare socket' : peer;
}

// ── curves ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A panel for each curve that the rows are points of. */
function curvePanels(rows: readonly Row[]): Panel[] {
  const names = [...new Set(rows.map((row) => row.point!.curve))];
  return names.map((name) =>
    curvePanel(
      name,
      rows.filter((row) => row.point!.curve === name),
    ),
  );
}

function curvePanel(name: string, rows: readonly Row[]): Panel {
  const ids = [...new Set(rows.flatMap((row) => row.peers.map(({ peer }) => peer)))];
  const curves = ids.map((id) => ({
    id,
    points: rows.flatMap((row) => {
      const cpu = row.peers.find(({ peer }) => peer === id)?.cpu?.median;
      return cpu === undefined ? [] : [[row.point!.x, cpu / row.point!.divisor] as const];
    }),
  }));
  const values = curves.flatMap(({ points }) => points.map(([, y]) => y));
  const xs = rows.map((row) => row.point!.x);
  const [left, right, bottom] = [46, PANEL - 84, PLOT - 24];
  const scale = (value: number, from: number, to: number, a: number, b: number) =>
    a + ((Math.log(value) - Math.log(from)) / (Math.log(to) - Math.log(from) || 1)) * (b - a);
  const [low, high] = [Math.min(...values) / 1.4, Math.max(...values) * 1.4];
  const px = (x: number) => scale(x, Math.min(...xs), Math.max(...xs), left, right);
  const py = (y: number) => scale(y, low, high, bottom, HEAD);
  const parts = [text(0, 12, name, 'font-weight="600" font-size="13"')];
  for (const tick of ticks(low, high)) {
    parts.push(
      `<path d="M${left} ${py(tick).toFixed(1)}H${right}" stroke="#e2e8f0"/>`,
      text(left - 6, py(tick) + 4, String(tick), END_GREY),
    );
  }
  for (const row of rows)
    parts.push(text(px(row.point!.x), bottom + 18, row.point!.label, 'text-anchor="middle" fill="#64748b"'));
  for (const { id, points } of curves) {
    const last = points.at(-1);
    if (last === undefined) continue;
    const colour = COLOURS[id] ?? '#94a3b8';
    const path = points.map(([x, y]) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join('L');
    parts.push(`<path d="M${path}" fill="none" stroke="${colour}" stroke-width="${id === 'ours' ? 2.5 : 1.5}"/>`);
    for (const [x, y] of points)
      parts.push(`<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="2.5" fill="${colour}"/>`);
  }
  parts.push(...endLabels(curves, py, right));
  return { height: PLOT, parts };
}

/** Names at the ends of the lines, apart from each other. */
function endLabels(
  curves: readonly { readonly id: string; readonly points: readonly (readonly [number, number])[] }[],
  py: (y: number) => number,
  right: number,
): string[] {
  const ends = curves.flatMap(({ id, points }) => {
    const last = points.at(-1);
    return last === undefined ? [] : [{ id, y: py(last[1]) + 4 }];
  });
  ends.sort((a, b) => a.y - b.y);
  let free = Number.NEGATIVE_INFINITY;
  return ends.map(({ id, y }) => {
    const at = Math.max(y, free);
    free = at + 14;
    const weight = id === 'ours' ? ' font-weight="600"' : '';
    return text(right + 8, at, label(id), `fill="${COLOURS[id] ?? '#94a3b8'}"${weight}`);
  });
}

/** 1, 2 and 5 of each power of ten between two values. */
function ticks(low: number, high: number): number[] {
  const all: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const digit of [1, 2, 5]) all.push(Number(`${digit}e${power}`));
  }
  return all.filter((tick) => tick >= low && tick <= high);
}

// ── text ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const END_GREY = 'text-anchor="end" fill="#64748b" font-size="11"';

function wrap(value: string, width: number): string[] {
  const lines: string[] = [''];
  for (const word of value.split(' ')) {
    if (lines.at(-1)!.length + word.length >= width) lines.push('');
    lines[lines.length - 1] = `${lines.at(-1)!} ${word}`.trim();
  }
  return lines;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
