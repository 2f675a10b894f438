import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exampleFile } from './support.ts';

const page = readFileSync(exampleFile('../docs/migrating.md'), 'utf8');

/** The names in the first column of a section's table. */
function theirNames(section: string): string[] {
  const text = page.slice(page.indexOf(`\n## ${section}\n`) + 1);
  const rows = text.slice(0, text.indexOf('\n## ', 3)).matchAll(/^\| ([^|]*`[^|]*) \|/gm);
  return [...rows].flatMap(([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

describe('row 112: docs/migrating.md, their names and ours', () => {
  test.each([
    ['Gothic 2 Online', ['g2o/module.ts', 'g2o/g2ows.json', 'g2o/main.ts']],
    ['Defold', ['defold/websocket.ts']],
    ['IXWebSocket and the 4D plugin', ['ix/plugin.ts', 'ix/options.ts']],
  ])('what it names of %s is in the example', (section, files) => {
    const text = files.map((file) => readFileSync(exampleFile(file), 'utf8')).join('\n');
    const names = theirNames(section).map((name) => name.replaceAll(' ', '_').replace(/^(websocket|params|tls)\./, ''));
    expect(names.length).toBeGreaterThan(12);
    expect(names.filter((name) => !text.includes(name.split(',')[0]!))).toEqual([]);
  });

  test('what it names of ws, ws has', () => {
    const own = exampleFile('../node_modules/ws/lib/');
    const text = ['websocket', 'websocket-server', 'stream', 'sender']
      .map((name) => readFileSync(`${own}${name}.js`, 'utf8'))
      .join('\n');
    // Of an expression each name; what its README does by hand (`isAlive`), and what is Node's, is not in its code.
    const names = theirNames('ws').flatMap((each) => each.match(/[a-zA-Z]{4,}|unexpected-response/g) ?? []);
    const others = [
      'isAlive',
      'await',
      'false',
      'createWebSocketStream',
      'forEach',
      'agent',
      'cert',
      'rejectUnauthorized',
    ];
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !text.includes(name) && !others.includes(name))).toEqual([]);
  });

  test('the Python program is that of the example', () => {
    const [, printed] = /```python\n([\s\S]*?)```/.exec(page)!;
    expect(readFileSync(exampleFile('g2o/client.py'), 'utf8').endsWith(`\n${printed}`)).toBe(true);
  });
});
