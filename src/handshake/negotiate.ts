/**
 * What two peers settle on: one subprotocol (RFC 6455 sections 1.9 and 4.2.2), and extensions with their payload
 * transforms (section 9.1). It knows offers and answers as values, and no particular extension.
 */
import type { Extension, ExtensionOffer, PayloadTransform } from '../extension/extension.ts';
import { formatExtensions } from './header-grammar.ts';

/** The extensions in use, in the order of the header: the transforms are applied in this order (section 9.1). */
export interface Agreement {
  readonly transforms: PayloadTransform[];
}

/** A server's side of an agreement, with the Sec-WebSocket-Extensions value that tells the client; empty for none. */
export interface AcceptedExtensions extends Agreement {
  readonly header: string;
}

/**
 * Server: the first of `supported` that the client offers, or `null`. The RFC leaves the choice to the server
 * (section 4.2.2 point 4); its own order wins, since it is the side that knows which of two versions it would retire.
 */
export function chooseSubprotocol(offered: readonly string[], supported: readonly string[]): string | null {
  for (const name of supported) if (offered.includes(name)) return name;
  return null;
}

/**
 * Server: for each of our extensions, in our order, takes the first of the client's offers that it accepts. Offers of
 * extensions that we do not have are ignored, and so is an extension of ours whose reserved bits are already claimed.
 */
export function acceptExtensions(
  offers: readonly ExtensionOffer[],
  extensions: readonly Extension[],
): AcceptedExtensions {
  const answers: ExtensionOffer[] = [];
  const transforms: PayloadTransform[] = [];
  let claimed = 0;
  for (const extension of extensions) {
    if ((claimed & extension.rsvBits) !== 0 || answers.some(({ name }) => name === extension.name)) continue;
    for (const offer of offers) {
      if (offer.name !== extension.name) continue;
      const agreement = extension.accept(offer);
      if (agreement === null) continue;
      answers.push(agreement.answer);
      transforms.push(agreement.transform);
      claimed |= extension.rsvBits;
      break;
    }
  }
  return { header: formatExtensions(answers), transforms };
}

/** Client: the Sec-WebSocket-Extensions value that offers `extensions`, in order of preference; empty for none. */
export function offerExtensions(extensions: readonly Extension[]): string {
  return formatExtensions(extensions.flatMap((extension) => extension.offer()));
}

/**
 * Client: takes the server's answers, or `null` if the connection must fail: an extension that we have not offered (§9.1)
 * or that does not allow these parameters, one answered twice, or two that claim the same reserved bit.
 */
export function agreeExtensions(
  answers: readonly ExtensionOffer[],
  extensions: readonly Extension[],
): Agreement | null {
  const transforms: PayloadTransform[] = [];
  const taken: Extension[] = [];
  let claimed = 0;
  for (const answer of answers) {
    const extension = extensions.find((each) => each.name === answer.name);
    const possible = extension !== undefined && !taken.includes(extension) && (claimed & extension.rsvBits) === 0;
    const transform = possible ? extension.agree(answer) : null;
    if (!possible || transform === null) {
      for (const each of transforms) each.release();
      return null;
    }
    taken.push(extension);
    transforms.push(transform);
    claimed |= extension.rsvBits;
  }
  return { transforms };
}
