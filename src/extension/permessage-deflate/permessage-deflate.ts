/** permessage-deflate (RFC 7692) as an extension: options and negotiation lead to a transform for each connection. */

import type { Extension, ExtensionAgreement, ExtensionOffer, PayloadTransform } from '../extension.ts';
import type { DeflateCodec } from './codec.ts';
import { Deflate, IndependentDeflate } from './deflate.ts';
import { Inflate } from './inflate.ts';
import { type DeflateSettings, type PermessageDeflateOptions, readDeflateOptions } from './options.ts';
import {
  acceptsOne,
  answerOffer,
  type DeflateTerms,
  MOST_WINDOW_BITS,
  NAME,
  offersFor,
  printParameters,
  readParameters,
  termsOf,
} from './parameters.ts';
import { DeflatePlan, DeflatePool, DeflateTransform, type Direction, RSV1 } from './transform.ts';

/** A server has many connections: 40 KiB for each. */
const SERVER_WINDOW_BITS = 12;
/** Below this a compressed message is hardly smaller, and a plain one costs nothing. */
const THRESHOLD_WITH_CONTEXT = 64;
const THRESHOLD_WITHOUT_CONTEXT = 1_024;

/** DEFLATE in pure TypeScript: the default of {@link permessageDeflate}, in any runtime. */
export const pureDeflate: DeflateCodec = {
  deflater: (options) => (options.contextTakeover ? new Deflate(options) : new IndependentDeflate(options)),
  inflater: (windowBits) => new Inflate(windowBits),
};

/**
 * Compression of messages (RFC 7692), for any number of clients and servers.
 *
 * Do not compress secrets together with what an attacker chooses: the size tells of the secret. Send such messages with
 * `compress: false`.
 *
 * @throws UsageError naming the option that is wrong
 * @example
 * const options = { extensions: [permessageDeflate({ level: 3, memory: 'shared' })] };
 */
export function permessageDeflate(options: PermessageDeflateOptions = {}): Extension {
  return new PermessageDeflate(readDeflateOptions(options));
}

class PermessageDeflate implements Extension {
  readonly name = NAME;
  readonly rsvBits = RSV1;
  private readonly settings: DeflateSettings;
  private readonly pool: DeflatePool;
  /** By both directions: there are not many. */
  private readonly plans: Map<number, DeflatePlan> = new Map();

  constructor(settings: DeflateSettings) {
    this.settings = settings;
    this.pool = new DeflatePool(settings.codec ?? pureDeflate);
  }

  offer(): readonly ExtensionOffer[] {
    return offersFor(this.wanted(MOST_WINDOW_BITS)).map((offer) => ({
      name: NAME,
      parameters: printParameters(offer),
    }));
  }

  accept(offer: ExtensionOffer): ExtensionAgreement | null {
    const offered = readParameters(offer.parameters, true);
    // §7.1: "A server MUST decline an extension negotiation offer" that it cannot read.
    if (offered === null) return null;
    const answer = answerOffer(offered, this.wanted(SERVER_WINDOW_BITS));
    const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } =
      termsOf(answer);
    const outgoing = { windowBits: serverMaxWindowBits, contextTakeover: !serverNoContextTakeover };
    const incoming = { windowBits: clientMaxWindowBits, contextTakeover: !clientNoContextTakeover };
    return {
      answer: { name: NAME, parameters: printParameters(answer) },
      transform: this.transform(incoming, outgoing),
    };
  }

  agree(answer: ExtensionOffer): PayloadTransform | null {
    const wanted = this.wanted(MOST_WINDOW_BITS);
    const answered = readParameters(answer.parameters, false);
    // §7.1: "A client MUST _Fail the WebSocket Connection_" if the answer is not one that an offer allows.
    if (answered === null || !acceptsOne(answered, offersFor(wanted))) return null;
    const terms = termsOf(answered);
    const incoming = { windowBits: terms.serverMaxWindowBits, contextTakeover: !terms.serverNoContextTakeover };
    // §7.1.1.2, §7.1.2.2: what the offer told of ourselves binds us, whether or not the answer repeats it.
    const outgoing = {
      windowBits: Math.min(terms.clientMaxWindowBits, wanted.clientMaxWindowBits),
      contextTakeover: !terms.clientNoContextTakeover && !wanted.clientNoContextTakeover,
    };
    return this.transform(incoming, outgoing);
  }

  private wanted(windowBits: number): DeflateTerms {
    const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } =
      this.settings;
    return {
      serverNoContextTakeover,
      clientNoContextTakeover,
      serverMaxWindowBits: serverMaxWindowBits ?? windowBits,
      clientMaxWindowBits: clientMaxWindowBits ?? windowBits,
    };
  }

  private transform(incoming: Direction, outgoing: Direction): PayloadTransform {
    const key = (directionKey(incoming) << 5) | directionKey(outgoing);
    let plan = this.plans.get(key);
    if (plan === undefined) {
      const { level, memoryLevel, compressLimit, memory, threshold } = this.settings;
      plan = new DeflatePlan(this.pool, incoming, outgoing, {
        level,
        memoryLevel,
        compressLimit,
        plain: memory === 'none',
        threshold: threshold ?? (outgoing.contextTakeover ? THRESHOLD_WITH_CONTEXT : THRESHOLD_WITHOUT_CONTEXT),
      });
      this.plans.set(key, plan);
    }
    return new DeflateTransform(plan);
  }
}

function directionKey({ windowBits, contextTakeover }: Direction): number {
  return (windowBits << 1) | (contextTakeover ? 1 : 0);
}
