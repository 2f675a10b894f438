/**
 * The header fields of a head, as they came (RFC 9110 section 5): a read-only multimap over the raw pairs.
 *
 * A look-up is a scan: there are at most 100 fields, few are ever read, and a scan needs no memory and no prototype that
 * a field called `__proto__` could reach. It knows no field by name.
 */
import { equalsIgnoreCase } from './text.ts';

/**
 * Header fields by name, ignoring case. Values are latin1: one character a byte.
 *
 * @example
 * const headers = new Headers(['Host', 'example.test', 'Via', '1.1 a', 'via', '1.1 b']);
 * headers.get('host'); // 'example.test'
 * headers.get('VIA'); // '1.1 a, 1.1 b'
 * headers.getAll('Via'); // ['1.1 a', '1.1 b']
 */
export class Headers {
  /** Name and value alternately, in the order and the spelling in which they came. */
  readonly raw: readonly string[];

  /** `raw` is name and value alternately, as they came. */
  constructor(raw: readonly string[]) {
    this.raw = raw;
  }

  /** The values of all fields of this name, joined with `', '` (RFC 9110 section 5.3), or `null` if there is none. */
  get(name: string): string | null {
    const values = this.getAll(name);
    return values.length === 0 ? null : values.join(', ');
  }

  /** The value of each field of this name, in order. */
  getAll(name: string): readonly string[] {
    const values: string[] = [];
    for (let at = this.find(name, 0); at >= 0; at = this.find(name, at + 2)) values.push(this.raw[at + 1]!);
    return values;
  }

  /** Whether there is a field of this name. */
  has(name: string): boolean {
    return this.find(name, 0) >= 0;
  }

  /** Each field as `[name, value]`, in order. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i + 1 < this.raw.length; i += 2) yield [this.raw[i]!, this.raw[i + 1]!];
  }

  /** The pairs. An object would lose repeated names, and has names of its own. */
  toJSON(): [name: string, value: string][] {
    return [...this];
  }

  private find(name: string, from: number): number {
    const raw = this.raw;
    for (let i = from; i + 1 < raw.length; i += 2) {
      if (equalsIgnoreCase(raw[i]!, name)) return i;
    }
    return -1;
  }
}
