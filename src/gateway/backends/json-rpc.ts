/** JSON-RPC 2.0: what a text asks for, what is answered (https://www.jsonrpc.org/specification). It knows no streams. */

/** What methods get beside their parameters. */
export type Method = (params: unknown) => unknown;

/** A method with the names of its parameters: they may come by name or in this order, and all of them must. */
export interface NamedMethod {
  readonly params: readonly string[];
  readonly run: (...values: unknown[]) => unknown;
}

/** Methods by name. */
export type Methods = Readonly<Record<string, Method | NamedMethod>>;

/** The errors that the specification names. */
export const RpcFault = {
  parseError: { code: -32700, message: 'Parse error' },
  invalidRequest: { code: -32600, message: 'Invalid Request' },
  methodNotFound: { code: -32601, message: 'Method not found' },
  invalidParams: { code: -32602, message: 'Invalid params' },
  internalError: { code: -32603, message: 'Internal error' },
} as const;

/** Elements of a batch that are answered. */
const LARGEST_BATCH = 1_000;

interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/**
 * The answer to a text, or null if none is due.
 *
 * @param failed gets what methods threw, unless it says with a `code` that it is meant for the client
 */
export async function answer(text: string, methods: Methods, failed: (error: unknown) => void): Promise<string | null> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return refusal(null, RpcFault.parseError);
  }
  if (!Array.isArray(parsed)) return answerOne(parsed, methods, failed);
  if (parsed.length === 0 || parsed.length > LARGEST_BATCH) return refusal(null, RpcFault.invalidRequest);
  const answers = await Promise.all(parsed.map((each: unknown) => answerOne(each, methods, failed)));
  const due = answers.filter((each) => each !== null);
  return due.length === 0 ? null : `[${due.join(',')}]`;
}

async function answerOne(request: unknown, methods: Methods, failed: (error: unknown) => void): Promise<string | null> {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    return refusal(null, RpcFault.invalidRequest);
  }
  const { jsonrpc, id, method, params } = request as Record<string, unknown>;
  const hasId = Object.hasOwn(request, 'id');
  const validId = id === null || typeof id === 'string' || (typeof id === 'number' && isExact(id));
  const validParams = params === undefined || (typeof params === 'object' && params !== null);
  if (jsonrpc !== '2.0' || typeof method !== 'string' || (hasId && !validId) || !validParams) {
    return refusal(validId ? id : null, RpcFault.invalidRequest);
  }
  try {
    const result = await call(methods, method, params);
    // What JSON has no word for is null.
    return hasId ? `{"jsonrpc":"2.0","result":${JSON.stringify(result) ?? 'null'},"id":${JSON.stringify(id)}}` : null;
  } catch (error) {
    const told = meantForClient(id, error);
    if (told === null) failed(error);
    return hasId ? (told ?? refusal(id, RpcFault.internalError)) : null;
  }
}

/** Whether it is what was written: the answer to another id is no answer. */
function isExact(id: number): boolean {
  return Number.isInteger(id) ? Number.isSafeInteger(id) : Number.isFinite(id);
}

function call(methods: Methods, name: string, params: unknown): unknown {
  const method = Object.hasOwn(methods, name) ? methods[name]! : null;
  if (method === null) throw new Refused(RpcFault.methodNotFound);
  if (typeof method === 'function') return method(params);
  const names = method.params;
  if (Array.isArray(params)) {
    if (params.length !== names.length) throw new Refused(invalid(`wanted are ${names.join(', ')}`));
    return method.run(...(params as unknown[]));
  }
  const given = (params ?? {}) as Record<string, unknown>;
  const missing = names.find((each) => !Object.hasOwn(given, each));
  if (missing !== undefined) throw new Refused(invalid(`'${missing}' is missing`));
  const unknown = Object.keys(given).find((each) => !names.includes(each));
  if (unknown !== undefined) throw new Refused(invalid(`wanted are ${names.join(', ')}`));
  return method.run(...names.map((each) => given[each]));
}

class Refused extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor({ code, message, data }: RpcError) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

function invalid(data: string): RpcError {
  return { ...RpcFault.invalidParams, data };
}

/** An error with a whole number as its `code` was made for the client, if JSON has words for it. */
function meantForClient(id: unknown, error: unknown): string | null {
  try {
    const { code, message, data } = (error ?? {}) as Partial<RpcError>;
    if (!Number.isInteger(code)) return null;
    return refusal(id, { code: code!, message: String(message ?? ''), ...(data === undefined ? {} : { data }) });
  } catch {
    return null;
  }
}

function refusal(id: unknown, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', error, id });
}
