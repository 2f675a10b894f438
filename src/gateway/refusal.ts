/** What clients are told when there is no backend for them: enough to try again or not, and neither paths nor Node's errors. */

import type { Refusal } from '../server/options.ts';
import type { BackendError } from './backend.ts';

const BODIES: Readonly<Record<BackendError['status'], string>> = {
  403: 'this name is not open to clients\n',
  404: 'there is nothing of this name\n',
  502: 'the server behind this name does not answer\n',
  504: 'the server behind this name does not answer in time\n',
};

/** The answer for an error. */
export function refusalOf({ status }: BackendError): Refusal {
  return { status, body: BODIES[status] };
}
