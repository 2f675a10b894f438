/** `sendFragment`: a message sent piece by piece by the application itself. */
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/index.ts';
import { bytesOf, OP, pattern, ROLES } from '../rfc6455/support.ts';
import { script } from './script.ts';

for (const role of ROLES) {
  describe(`sendFragment, ${role}`, () => {
    it('makes one message of many pieces, and counts it when it ends', async () => {
      const { endpoint, transport, clock } = script({}, undefined, { role });
      expect(endpoint.sendFragment('text', bytesOf('on'), false)).toMatchObject({ success: true, payloadSize: 2 });
      endpoint.sendFragment('text', new Uint8Array(0), false);
      expect(endpoint.statistics.messagesSent).toBe(0);
      endpoint.sendFragment('text', bytesOf('e'), true);
      expect(endpoint.statistics.messagesSent).toBe(1);
      endpoint.send('two');
      await clock.settle();
      expect(transport.frames.map(({ opcode, fin, payload }) => [opcode, fin, String(Buffer.from(payload))])).toEqual([
        [OP.text, false, 'on'],
        [0, false, ''],
        [0, true, 'e'],
        [OP.text, true, 'two'],
      ]);
    });

    it('keeps others out until it has ended', () => {
      const { endpoint } = script({}, undefined, { role });
      endpoint.sendFragment('binary', pattern(3), false);
      expect(() => endpoint.send('x')).toThrow(UsageError);
      expect(() => endpoint.sendFragment('text', bytesOf('x'), true)).toThrow(UsageError);
      expect(() => endpoint.sendStream('binary', [])).toThrow(UsageError);
      endpoint.sendFragment('binary', pattern(0), true);
      expect(endpoint.send('x').success).toBe(true);
    });

    it('a wrong argument changes nothing', () => {
      const { endpoint } = script({}, undefined, { role });
      expect(() => endpoint.sendFragment('ping' as never, pattern(1), true)).toThrow(/kind/);
      expect(() => endpoint.sendFragment('text', 'string' as never, true)).toThrow(UsageError);
      expect(() => endpoint.sendFragment('text', Uint8Array.of(0xff), true)).toThrow(/UTF-8/);
      expect(endpoint.send('x').success).toBe(true);
    });

    it('tells when more is not welcome, and `drain` when it is again', async () => {
      const { endpoint, clock } = script({ highWaterMark: 100 }, undefined, { role });
      let drains = 0;
      endpoint.on('drain', () => drains++);
      expect(endpoint.sendFragment('binary', pattern(10), false).writable).toBe(true);
      expect(endpoint.sendFragment('binary', pattern(200), false).writable).toBe(false);
      await clock.settle();
      expect(drains).toBe(1);
      endpoint.terminate();
      expect(endpoint.sendFragment('binary', pattern(1), true)).toMatchObject({ success: false, code: 'not-open' });
    });
  });
}
