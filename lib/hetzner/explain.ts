import type { Explain } from '../http/settings';
import { isObject } from '../json';

/** What to do about the errors of the API that a user can do something about. */
const nextSteps: Readonly<Record<string, string>> = {
  unauthorized: 'Put a valid API token of the right project into the credential.',
  token_readonly: 'Use a token with the permission Read & Write, or switch Dry Run on.',
  forbidden: 'Give the token the permission Read & Write, or use one of the right project.',
  invalid_input: 'Correct the values named here, and run it again.',
  json_error: 'Report this: the request was not valid JSON.',
  locked: 'Another action still works on it. Wait for it, or set the option Wait When Locked.',
  protected: 'It is protected. Switch its protection off first, if you really mean it.',
  not_found: 'Check the name or id, and that the token belongs to the right project.',
  rate_limit_exceeded: 'Wait a while, or use fewer requests at once.',
  resource_limit_exceeded: 'Ask Hetzner for a higher limit in the Cloud Console, or remove what is not needed.',
  resource_unavailable: 'It is sold out there at the moment. Try another location or type, or later.',
  uniqueness_error: 'Something has this name or value already: choose another one.',
  conflict: 'Something else changed it at the same time. Read the present state, and run it again.',
  unsupported_error: 'What was asked for is not possible for this resource.',
  maintenance: 'Hetzner maintains this part at the moment. Try it again later.',
  service_error: 'Hetzner had a problem. Look at status.hetzner.com, and check whether it took effect.',
  server_not_stopped: 'Shut the server down first.',
  server_error: 'Hetzner had a problem with the server. Look at it in the Cloud Console.',
  placement_error: 'No room for it with this placement group. Try later, or without the group.',
  primary_ip_assigned: 'Unassign the address from its server first.',
  ip_not_available: 'Choose another address.',
  no_subnet_available: 'Add a subnet to the network, or choose one of its ranges with free addresses.',
  must_be_attached_to_server: 'Attach the volume to a server first.',
  resource_in_use: 'It is still in use. Remove it from what uses it first.',
  deprecated_api_endpoint: 'Update this package: Hetzner has taken this part of its API away.',
};

/** `{ "error": { "code", "message", "details": { "fields": [{ "name", "messages" }] } } }` */
export const explain: Explain = (body) => {
  const error = isObject(body) ? body['error'] : undefined;
  if (!isObject(error) || typeof error['code'] !== 'string' || error['code'] === '') return undefined;
  const code = error['code'];
  const said = typeof error['message'] === 'string' && error['message'] !== '' ? error['message'] : code;
  const fields = fieldsOf(error['details']);
  const nextStep = nextSteps[code];
  return {
    code,
    message: fields === '' ? said : `${said} (${fields})`,
    ...(nextStep !== undefined && { nextStep }),
  };
};

export function nextStepOf(code: string): string | undefined {
  return nextSteps[code];
}

function fieldsOf(details: unknown): string {
  const fields = isObject(details) && Array.isArray(details['fields']) ? (details['fields'] as readonly unknown[]) : [];
  return fields
    .flatMap((one) => {
      if (!isObject(one) || typeof one['name'] !== 'string') return [];
      const messages = Array.isArray(one['messages']) ? one['messages'].filter((text) => typeof text === 'string') : [];
      return [`${one['name']}: ${messages.join(', ')}`];
    })
    .join('; ')
    .slice(0, 1000);
}
