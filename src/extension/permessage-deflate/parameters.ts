/**
 * The parameters of permessage-deflate (RFC 7692 section 7.1): what may stand in an offer and in an answer, what a server
 * answers, and what a client makes of it. It knows values, not headers, and nothing of compression.
 */

import type { ExtensionParameter } from '../extension.ts';

/** The registered token (RFC 7692 section 7). */
export const NAME = 'permessage-deflate';
export const LEAST_WINDOW_BITS = 8;
export const MOST_WINDOW_BITS = 15;

/** The parameters of one offer or answer. */
export interface DeflateParameters {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  /** `null`: the parameter is absent. */
  readonly serverMaxWindowBits: number | null;
  /** `null`: the parameter is absent; `'any'`: it has no value, as only an offer may. */
  readonly clientMaxWindowBits: number | 'any' | null;
}

/** What one side wants, or what both are bound to. Window bits are from 8 to 15. */
export interface DeflateTerms {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number;
  readonly clientMaxWindowBits: number;
}

/**
 * Reads parameters, or returns `null` where §7.1 has a server decline the offer and a client fail the connection: a name that
 * is not defined, an invalid value, or the same name twice.
 */
export function readParameters(parameters: readonly ExtensionParameter[], isOffer: boolean): DeflateParameters | null {
  let serverNoContextTakeover = false;
  let clientNoContextTakeover = false;
  let serverMaxWindowBits: number | null = null;
  let clientMaxWindowBits: number | 'any' | null = null;
  for (const { name, value } of parameters) {
    switch (name) {
      case 'server_no_context_takeover':
        // §7.1.1.1: "This parameter has no value."
        if (serverNoContextTakeover || value !== null) return null;
        serverNoContextTakeover = true;
        break;
      case 'client_no_context_takeover':
        if (clientNoContextTakeover || value !== null) return null;
        clientNoContextTakeover = true;
        break;
      case 'server_max_window_bits':
        if (serverMaxWindowBits !== null) return null;
        serverMaxWindowBits = readBits(value);
        if (serverMaxWindowBits === null) return null;
        break;
      case 'client_max_window_bits':
        if (clientMaxWindowBits !== null) return null;
        // §7.1.2.2: in an offer it may stand without a value, in an answer it needs one.
        clientMaxWindowBits = value === null && isOffer ? 'any' : readBits(value);
        if (clientMaxWindowBits === null) return null;
        break;
      default:
        return null;
    }
  }
  return { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits };
}

/** §7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive". */
function readBits(value: string | null): number | null {
  switch (value) {
    case '8':
    case '9':
    case '10':
    case '11':
    case '12':
    case '13':
    case '14':
    case '15':
      return Number(value);
    default:
      return null;
  }
}

/** The parameters as they stand in the header. */
export function printParameters(parameters: DeflateParameters): ExtensionParameter[] {
  const { serverMaxWindowBits, clientMaxWindowBits } = parameters;
  const out: ExtensionParameter[] = [];
  if (parameters.serverNoContextTakeover) out.push({ name: 'server_no_context_takeover', value: null });
  if (parameters.clientNoContextTakeover) out.push({ name: 'client_no_context_takeover', value: null });
  if (serverMaxWindowBits !== null) out.push({ name: 'server_max_window_bits', value: String(serverMaxWindowBits) });
  if (clientMaxWindowBits !== null) {
    const value = clientMaxWindowBits === 'any' ? null : String(clientMaxWindowBits);
    out.push({ name: 'client_max_window_bits', value });
  }
  return out;
}

/**
 * Server: the answer to an offer that `readParameters` has read. Every such offer can be met, so none is declined.
 *
 * A client that cannot limit its window, though we want it to, is asked to forget it after each message instead: what we
 * keep for it stays small either way.
 */
export function answerOffer(offer: DeflateParameters, wanted: DeflateTerms): DeflateParameters {
  const limitable = offer.clientMaxWindowBits !== null;
  const asked = typeof offer.clientMaxWindowBits === 'number' ? offer.clientMaxWindowBits : MOST_WINDOW_BITS;
  const clientBits = Math.min(asked, wanted.clientMaxWindowBits);
  // §7.1.2.1: "with the same or smaller value as the offer"; the server may limit itself unasked, too.
  const serverBits = Math.min(offer.serverMaxWindowBits ?? MOST_WINDOW_BITS, wanted.serverMaxWindowBits);
  return {
    // §7.1.1.1: the server accepts the parameter by including it, and may include it unasked.
    serverNoContextTakeover: offer.serverNoContextTakeover || wanted.serverNoContextTakeover,
    // §7.1.1.2: what was a hint in the offer becomes binding; the server may include it unasked.
    clientNoContextTakeover:
      offer.clientNoContextTakeover ||
      wanted.clientNoContextTakeover ||
      (!limitable && wanted.clientMaxWindowBits < MOST_WINDOW_BITS),
    serverMaxWindowBits: offer.serverMaxWindowBits !== null || serverBits < MOST_WINDOW_BITS ? serverBits : null,
    // §7.1.2.2: without the parameter in the offer, the answer "MUST NOT" have it.
    clientMaxWindowBits: limitable && clientBits < MOST_WINDOW_BITS ? clientBits : null,
  };
}

/** Client: what to offer, in order of preference. */
export function offersFor(wanted: DeflateTerms): DeflateParameters[] {
  const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits } = wanted;
  const clientMaxWindowBits = wanted.clientMaxWindowBits < MOST_WINDOW_BITS ? wanted.clientMaxWindowBits : 'any';
  const common = { clientNoContextTakeover, clientMaxWindowBits } as const;
  if (serverMaxWindowBits === MOST_WINDOW_BITS) {
    return [{ ...common, serverNoContextTakeover, serverMaxWindowBits: null }];
  }
  // A server that cannot limit its window declines the first offer; it may forget its window after each message instead.
  return [
    { ...common, serverNoContextTakeover, serverMaxWindowBits },
    { ...common, serverNoContextTakeover: true, serverMaxWindowBits: null },
  ];
}

/** Client: whether an answer, read by `readParameters`, accepts one of the offers. */
export function acceptsOne(answer: DeflateParameters, offers: readonly DeflateParameters[]): boolean {
  return offers.some(
    (offer) =>
      (answer.serverNoContextTakeover || !offer.serverNoContextTakeover) &&
      // §7.1.2.1: accepted "by including the "server_max_window_bits" extension parameter [...] with the same or smaller value".
      (offer.serverMaxWindowBits === null ||
        (answer.serverMaxWindowBits !== null && answer.serverMaxWindowBits <= offer.serverMaxWindowBits)) &&
      (answer.clientMaxWindowBits === null || offer.clientMaxWindowBits !== null),
  );
}

/** What an answer binds both sides to. */
export function termsOf(answer: DeflateParameters): DeflateTerms {
  const { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = answer;
  return {
    serverNoContextTakeover,
    clientNoContextTakeover,
    serverMaxWindowBits: serverMaxWindowBits ?? MOST_WINDOW_BITS,
    clientMaxWindowBits: typeof clientMaxWindowBits === 'number' ? clientMaxWindowBits : MOST_WINDOW_BITS,
  };
}
