// A self-signed certificate for localhost, in DER written by hand: the benchmark needs no committed key and no program.

import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';

export function createCertificate(): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const algorithm = tagged(0x30, oid('2a8648ce3d040302')); // ecdsa-with-SHA256
  const name = tagged(0x30, tagged(0x31, tagged(0x30, oid('550403'), tagged(0x0c, Buffer.from('localhost')))));
  const validity = tagged(0x30, time(Date.now() - 86_400_000), time(Date.now() + 7 * 86_400_000));
  const serial = tagged(0x02, Buffer.from([1]));
  const version = tagged(0xa0, tagged(0x02, Buffer.from([2]))); // 3: Deno takes no other
  const body = tagged(0x30, version, serial, algorithm, name, validity, name, publicKey);
  const signature = sign('sha256', body, createPrivateKey(privateKey));
  const der = tagged(0x30, body, algorithm, tagged(0x03, Buffer.from([0]), signature));
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n');
  return { cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`, key: privateKey };
}

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const header =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(header), content]);
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\D/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}
