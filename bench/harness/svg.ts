// Bar charts of a suite as SVG, written by hand: one group of bars a row, one bar a peer. Within a group the longest bar
// is the best rate, and what is written at its end is the figure itself.

import type { Row, SuiteReport } from './result.ts';
import { short } from './table.ts';

const COLOURS: Readonly<Record<string, string>> = { ours: '#2563eb', ws: '#94a3b8', raw: '#f59e0b' };
const OTHER_COLOURS = ['#0891b2', '#7c3aed', '#16a34a', '#dc2626'];
const WIDTH = 900;
const LABEL = 110;
const BAR = 16;
const GAP = 4;

export function drawChart(report: SuiteReport, caption: string): string {
  const parts: string[] = [];
  let y = 64;
  for (const row of report.rows) {
    parts.push(text(20, y, `${escapeText(row.name)}`, 'font-weight="600"'));
    y += 10;
    const values = row.peers.map((peer) => peer.rate?.median ?? peer.memory?.median ?? 0);
    const longest = Math.max(...values);
    for (const [i, peer] of row.peers.entries()) {
      const length = longest > 0 ? (values[i]! / longest) * (WIDTH - LABEL - 240) : 0;
      const colour = COLOURS[peer.peer] ?? OTHER_COLOURS[i % OTHER_COLOURS.length]!;
      parts.push(
        text(LABEL, y + 13, escapeText(peer.peer), 'text-anchor="end"'),
        `<rect x="${LABEL + 8}" y="${y}" width="${length.toFixed(1)}" height="${BAR}" rx="2" fill="${colour}"/>`,
        text(LABEL + 14 + length, y + 13, escapeText(valueText(row, i)), 'fill="#475569"'),
      );
      y += BAR + GAP;
    }
    y += 28;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="12" fill="#0f172a">
<rect width="100%" height="100%" fill="#ffffff"/>
${text(20, 26, escapeText(report.suite), 'font-size="17" font-weight="700"')}
${text(20, 43, escapeText(caption), 'fill="#64748b" font-size="11"')}
${parts.join('\n')}
</svg>
`;
}

function valueText(row: Row, index: number): string {
  const peer = row.peers[index]!;
  if (peer.memory) return `${peer.memory.median.toFixed(2)} ${row.unit}`;
  if (!peer.rate) return peer.notes.join(', ');
  const ratio = peer.versus['ws'];
  return `${short(peer.rate.median)} ${row.unit}s/s${ratio ? `, ${ratio.rate.toFixed(2)} x ws` : ''}`;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${content}</text>`;
}

function escapeText(value: string): string {
  return value.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
