/** One thing that must be shown, and by which tests. */

/**
 * What it is called, what it is in a few words, and parts of the titles of tests that show it although they do not name it.
 */
export type Entry = readonly [id: string, name: string, ...titles: string[]];

/** A clause of an RFC: its section, how strong it is, whom it binds, what it says, and parts of the titles that prove it. */
export type Clause = readonly [
  section: string,
  level: 'MUST' | 'MUST NOT' | 'SHOULD' | 'MAY',
  role: 'client' | 'server' | 'both',
  text: string,
  ...titles: string[],
];
