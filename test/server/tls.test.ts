import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as dialTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/index.ts';
import { type RefusedConnection, type ServeOptions, type Server, serve, UsageError } from '../../src/server/index.ts';
import { authority, client, encryptedKey, expired, local, other } from '../support/certificates.ts';
import { RawPeer, statusOf, upgradeRequest } from '../support/sockets.ts';

const servers: Server[] = [];

async function start(tls: ServeOptions['tls'], options: Partial<ServeOptions> = {}): Promise<Server> {
  const server = await serve({ port: 0, host: '127.0.0.1', ...options, ...(tls && { tls }) }, (socket) =>
    socket.resume(),
  );
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close({ timeout: 20 })));
});

const nextRefused = (server: Server) => new Promise<RefusedConnection>((resolve) => server.on('refused', resolve));
const open = async (server: Server, tls = {}) =>
  (await connect(server.url, { tls: { ca: authority, ...tls } })).close();

describe('row 85: certificate and key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sansocket-tls-'));
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test('as PEM text, as bytes and as paths', async () => {
    await open(await start(local));
    await open(await start({ cert: Buffer.from(local.cert), key: new TextEncoder().encode(local.key) }));
    await open(await start({ cert: file('cert.pem', local.cert), key: file('key.pem', local.key) }), {
      ca: file('ca.pem', authority),
    });
    await open(await start({ cert: local.cert, key: encryptedKey, passphrase: 'secret' }));
  });

  test.each<[object, string]>([
    [{ cert: '/no/such/cert.pem', key: local.key }, '/no/such/cert.pem'],
    [{ cert: local.cert }, "'tls.key'"],
    [{ key: local.key }, "'tls.cert'"],
    [{}, "'cert'"],
    [{ cert: local.cert, key: file('not.pem', 'nothing') }, 'not PEM'],
    [{ cert: Uint8Array.of(1, 2), key: local.key }, 'not PEM'],
    [{ cert: 7, key: local.key }, "'tls.cert'"],
    [{ ...local, key: other.key }, "'tls' cannot be used"],
    [{ ...local, key: encryptedKey }, "'tls' cannot be used"],
    [{ ...local, ciphers: 'NONSENSE' }, "'tls' cannot be used"],
    [{ ...local, minVersion: 'TLSv9' }, "'minVersion'"],
    [{ ...local, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, "'tls.maxVersion'"],
    // There would be no version to agree on.
    [
      { ...local, maxVersion: 'TLSv1.1' },
      "'tls.minVersion' is above 'tls.maxVersion': it is TLSv1.2 unless you say so",
    ],
    [{ ...local, ca: [] }, "'tls.ca'"],
    [{ ...local, ca: 'NONE', rejectUnauthorized: true }, "'NONE'"],
    [{ ...local, certificate: 'x' }, "'certificate'"],
  ])('row 90: %j is a UsageError, never plain text', async (tls, text) => {
    const failed = await serve({ port: 0, tls: tls as ServeOptions['tls'] & {} }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(UsageError);
    expect((failed as Error).message).toContain(text);
  });

  test('a UNIX socket has no TLS', async () => {
    await expect(serve({ path: '/tmp/x', tls: local })).rejects.toThrow("'tls'");
  });
});

describe('row 87: client certificates', () => {
  test('are not asked for by default', async () => {
    const server = await start({ ...local, ca: 'SYSTEM' });
    await open(server);
  });

  test('are required and verified when ca names authorities', async () => {
    const server = await start({ ...local, ca: authority });
    await open(server, client);
    const refused = nextRefused(server);
    await expect(connect(server.url, { tls: { ca: authority } })).rejects.toMatchObject({ name: 'TransportError' });
    expect(await refused).toMatchObject({ status: 0, remoteAddress: '127.0.0.1', error: { name: 'TransportError' } });
  });

  test('can be asked for without being required', async () => {
    await open(await start({ ...local, requestCert: true, ca: 'NONE' }));
    await open(await start({ ...local, ca: authority, rejectUnauthorized: false }));
    await open(await start({ ...local, ca: authority, requestCert: false }));
  });
});

describe('row 30: the certificate of the other end', () => {
  const der = (pem: string) => new Uint8Array(new X509Certificate(pem).raw);

  test('is known to authorize, to the handler and to the client, until the end', async () => {
    const seen: (Uint8Array | null)[] = [];
    const server = await serve(
      {
        port: 0,
        host: '127.0.0.1',
        tls: { ...local, ca: authority },
        authorize: (_, { peerCertificate }) => {
          seen.push(peerCertificate);
          return { context: new X509Certificate(peerCertificate!).subject };
        },
      },
      (socket) => {
        seen.push(socket.peerCertificate);
        socket.resume();
      },
    );
    servers.push(server as Server);
    const socket = await connect(server.url, { tls: { ca: authority, ...client } });
    expect(seen).toEqual([der(client.cert), der(client.cert)]);
    expect([...server.connections][0]!.context).toBe(new X509Certificate(client.cert).subject);
    expect(socket.peerCertificate).toEqual(der(local.cert));
    await socket.close();
    expect(socket.peerCertificate).toBeNull();
  });

  test('is null of those that show none, and without TLS', async () => {
    for (const tls of [{ ...local, ca: authority, rejectUnauthorized: false }, undefined]) {
      const seen: unknown[] = [];
      const server = await start(tls, { authorize: (_, { peerCertificate }) => void seen.push(peerCertificate) });
      const socket = await connect(server.url, tls === undefined ? {} : { tls: { ca: authority } });
      expect([...seen, [...server.connections][0]!.peerCertificate]).toEqual([null, null]);
      expect(socket.peerCertificate).toEqual(tls === undefined ? null : der(local.cert));
      await socket.close();
    }
  });
});

describe('replaceTls keeps what it is not given', () => {
  const bothWays = async (server: Server) => {
    await open(server, client);
    // In TLS 1.3 our end is open before the other has looked at the certificate, or missed it.
    await expect(connect(server.url, { tls: { ca: authority } })).rejects.toMatchObject({ name: 'TransportError' });
  };

  test('the authorities that clients must lead to, time after time', async () => {
    const server = await start({ ...local, ca: authority });
    await bothWays(server);
    server.replaceTls({ ...local });
    await bothWays(server);
    server.replaceTls({ ...local, ca: undefined } as never);
    await bothWays(server);
    // Others are named: ours are none of them.
    server.replaceTls({ ...local, ca: other.cert });
    await expect(open(server, client)).rejects.toMatchObject({ name: 'TransportError' });
    server.replaceTls({ ...local });
    await expect(open(server, client)).rejects.toMatchObject({ name: 'TransportError' });
    server.replaceTls({ ...local, ca: [other.cert, authority] });
    await bothWays(server);
  });

  test('as they were read: their file may be gone, or out of reach', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'sansocket-tls-')), 'ca.pem');
    writeFileSync(path, authority);
    const server = await start({ ...local, ca: [path] });
    rmSync(path);
    server.replaceTls(local);
    await bothWays(server);
  });

  test('the versions and ciphers', async () => {
    const server = await start({ ...local, minVersion: 'TLSv1.3' });
    const agreed = (limits: object) =>
      new Promise<string | null>((resolve) => {
        const socket = connectTls({ port: server.port!, host: '127.0.0.1', rejectUnauthorized: false, ...limits });
        socket.on('secureConnect', () => {
          resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
          socket.destroy();
        });
        socket.on('error', () => resolve(null));
      });
    const old = { maxVersion: 'TLSv1.2' };
    expect(await agreed(old)).toBeNull();
    server.replaceTls(local);
    expect(await agreed(old)).toBeNull();
    expect(() => server.replaceTls({ ...local, maxVersion: 'TLSv1.2' })).toThrow("'tls.minVersion' is above");
    const ciphers = 'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384';
    server.replaceTls({ ...local, minVersion: 'TLSv1.2', ciphers });
    server.replaceTls(local);
    expect(await agreed(old)).toMatch(/^TLSv1.2 ECDHE-(RSA|ECDSA)-AES256-GCM-SHA384$/);
    expect(await agreed({ ...old, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256' })).toBeNull();
  });

  test('but not the passphrase, which belongs to its key', async () => {
    const server = await start({ cert: local.cert, key: encryptedKey, passphrase: 'secret' });
    expect(() => server.replaceTls({ cert: local.cert, key: encryptedKey })).toThrow('cannot be used');
    server.replaceTls({ cert: local.cert, key: encryptedKey, passphrase: 'secret' });
    server.replaceTls(local);
    await open(server);
  });

  test('whether clients are asked, and turned away, cannot change, and no ca may bring it about', async () => {
    const asking = await start({ ...local, ca: authority });
    const asked = 'while the server runs';
    expect(() => asking.replaceTls({ ...local, ca: 'SYSTEM' })).toThrow(`'ca' cannot change 'requestCert' ${asked}`);
    expect(() => asking.replaceTls({ ...local, ca: 'NONE' })).toThrow(asked);
    expect(() => asking.replaceTls({ ...local, requestCert: false })).toThrow(
      `'requestCert' cannot be changed ${asked}`,
    );
    expect(() => asking.replaceTls({ ...local, rejectUnauthorized: false })).toThrow("'rejectUnauthorized'");
    await bothWays(asking);
    // To say it again is no change.
    asking.replaceTls({ ...local, ca: authority, requestCert: true, rejectUnauthorized: true });
    await bothWays(asking);

    const silent = await start(local);
    expect(() => silent.replaceTls({ ...local, ca: authority })).toThrow(`'ca' cannot change 'requestCert' ${asked}`);
    const lenient = await start({ ...local, ca: 'NONE', requestCert: true });
    expect(() => lenient.replaceTls({ ...local, ca: authority })).toThrow("'ca' cannot change 'rejectUnauthorized'");
    for (const server of [silent, lenient]) await open(server);
  });

  test('what is no option, or not its own, changes nothing', async () => {
    const server = await start({ ...local, ca: authority });
    expect(() => server.replaceTls({ ...local, caa: authority } as never)).toThrow("'caa'");
    expect(() => server.replaceTls({ ...local, ca: null } as never)).toThrow("'tls.ca'");
    expect(() => server.replaceTls(Object.create(local))).toThrow("'cert' is inherited");
    expect(() => server.replaceTls({ cert: local.cert } as never)).toThrow("'tls.key'");
    await bothWays(server);
  });
});

describe('row 91: failures of TLS', () => {
  test('plain HTTP on the TLS port is told with its address, and the server lives', async () => {
    const server = await start(local);
    const refused = nextRefused(server);
    const peer = await RawPeer.to(server.port!);
    const { localPort } = peer.socket;
    peer.write(upgradeRequest());
    await peer.closed;
    const { error, remoteAddress, remotePort, status } = await refused;
    expect([remoteAddress, remotePort, status]).toEqual(['127.0.0.1', localPort, 0]);
    expect(error).toMatchObject({ name: 'TransportError', cause: { code: 'ERR_SSL_HTTP_REQUEST' } });
    await open(server);
  });

  test('a reset in the handshake is told too', async () => {
    const server = await start(local);
    const refused = nextRefused(server);
    const peer = await RawPeer.to(server.port!);
    const { localPort } = peer.socket;
    peer.reset();
    expect(await refused).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: localPort });
  });

  test('T01: who is silent on the TLS port is dropped after handshakeTimeout, half-open or not', async () => {
    const server = await start(local, { handshakeTimeout: 50 });
    const refused: RefusedConnection[] = [];
    server.on('refused', (each) => refused.push(each));
    const silent = await RawPeer.to(server.port!);
    const half = await RawPeer.to(server.port!);
    half.socket.end();
    await Promise.all([silent.closed, half.closed]);
    while (refused.length < 2) await new Promise(setImmediate);
    expect(refused.map(({ error }) => error.code)).toContain('OPENING_TIMEOUT');
    expect(server.statistics.pending).toBe(0);
  });

  test('T45: who leaves in the middle of the handshake leaves nothing behind, long before the deadline', async () => {
    const server = await start(local);
    const refused: RefusedConnection[] = [];
    server.on('refused', (each) => refused.push(each));
    const half = await RawPeer.to(server.port!);
    half.socket.end();
    await half.closed;
    // A client that does not trust our certificate ends the connection, too.
    await expect(connect(server.url)).rejects.toThrow();
    while (refused.length < 2 || server.statistics.pending > 0) await new Promise(setImmediate);
    expect(refused.map(({ error }) => error.code)).not.toContain('OPENING_TIMEOUT');
  });

  test('T01: the deadline runs from accept, so that TLS has no time of its own', async () => {
    const server = await start(local, { handshakeTimeout: 100 });
    const secure = connectTls({ host: '127.0.0.1', port: server.port!, ca: authority, servername: 'localhost' });
    const peer = new RawPeer({ port: 0 }, secure);
    await peer.closed;
    expect(statusOf(peer.received)).toBe(408);
  });

  test('maxPendingHandshakes counts handshakes of TLS', async () => {
    const server = await start(local, { maxPendingHandshakes: 1 });
    const silent = await RawPeer.to(server.port!);
    while (server.statistics.pending === 0) await new Promise(setImmediate);
    const second = await RawPeer.to(server.port!);
    await second.closed;
    silent.reset();
    while (server.statistics.pending > 0) await new Promise(setImmediate);
    await open(server);
  });

  // Elsewhere the loopback has one address.
  test.runIf(process.platform === 'linux')(
    'the same peer address and port on two of our addresses are two handshakes',
    async () => {
      const server = await start(local, { host: '0.0.0.0', maxConnectionsPerAddress: 2 });
      const dial = async (host: string, localPort?: number) => {
        const from = localPort === undefined ? {} : { localPort };
        const socket = dialTcp({ port: server.port!, host, localAddress: '127.0.0.1', ...from });
        await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
        return socket;
      };
      const first = await dial('127.0.0.1');
      const second = await dial('127.0.0.2', first.localPort);
      while (server.statistics.pending < 2) await new Promise(setImmediate);
      const peers = [first, second].map(
        (socket) => new RawPeer({ port: 0 }, connectTls({ socket, ca: authority, servername: 'localhost' })),
      );
      for (const peer of peers) await peer.write(upgradeRequest()).until('101');
      expect([...server.connections].map(({ localAddress }) => localAddress)).toEqual(['127.0.0.1', '127.0.0.2']);
      expect(server.statistics).toEqual({ connections: 2, pending: 0, opened: 2, refused: 0 });
      for (const { socket } of peers) socket.destroy();
      while (server.statistics.connections > 0) await new Promise(setImmediate);
      // Nobody is counted for ever.
      await open(server, { checkHostname: false });
    },
  );

  test('T83: close drops handshakes of TLS', async () => {
    const server = await start(local);
    const silent = await RawPeer.to(server.port!);
    while (server.statistics.pending === 0) await new Promise(setImmediate);
    await server.close();
    await silent.closed;
    expect(server.statistics.pending).toBe(0);
  });

  test('T83: all that is told of them is told before the end', async () => {
    const server = await start(local);
    const told: string[] = [];
    server.on('refused', () => told.push('refused'));
    server.on('close', () => told.push(`close, ${server.statistics.pending} pending`));
    await RawPeer.to(server.port!);
    while (server.statistics.pending < 1) await new Promise(setImmediate);
    await server.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(told).toEqual(['refused', 'close, 0 pending']);
  });
});

test('a server may hold any certificate; T60: expired or of another host, a client refuses it', async () => {
  await expect(open(await start(expired))).rejects.toMatchObject({ cause: { code: 'CERT_HAS_EXPIRED' } });
  await expect(open(await start(other))).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
});
