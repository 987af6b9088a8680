import { Failure } from '../failure';
import type { Json } from '../json';
import { redactJson } from './redact';
import type { HttpRequest } from './request';
import type { Explanation, Headers } from './settings';
import type { Trouble } from './trouble';

/** Of whom the sentences speak. */
export interface Call {
  readonly service: string;
  /** `https://api.example.org/v1` */
  readonly baseUrl: string;
  readonly method: HttpRequest['method'];
  readonly path: string;
}

export interface Sentence {
  readonly code: string;
  readonly message: string;
  readonly nextStep: string;
  readonly details?: Readonly<Record<string, Json>>;
}

export function subjectOf({ service, method, path }: Call): string {
  return `${service}: ${method} ${path}`;
}

/** Nothing of the original error is kept but its code: the client library's errors carry the request with its headers. */
export function failureOf(
  call: Call,
  { code, message, nextStep, details = {} }: Sentence,
  redact: (text: string) => string,
): Failure {
  return new Failure({
    code,
    subject: redact(subjectOf(call)),
    message: redact(message),
    nextStep: redact(nextStep),
    details: Object.fromEntries(Object.entries(details).map(([name, value]) => [name, redactJson(value, redact)])),
  });
}

function host({ baseUrl }: Call): string {
  return new URL(baseUrl).host;
}

const lookFirst = 'Look whether it took effect before you do it again: repeating it may do it twice.';

export function troubleSentence(call: Call, trouble: Trouble): Sentence {
  const details = { reason: trouble.reason };
  const at = host(call);
  const proxy = `the proxy ${trouble.proxy ?? 'in between'}`;
  switch (trouble.kind) {
    case 'dns':
      return {
        code: 'name_not_found',
        message: `The name of ${call.service}, ${new URL(call.baseUrl).hostname}, was not found in DNS`,
        nextStep: 'Check the base URL for a typing error, and that the machine n8n runs on can resolve names.',
        details,
      };
    case 'refused':
      return {
        code: 'connection_refused',
        message: `Nothing accepts connections for ${call.service} at ${at}`,
        nextStep: 'Check that the service runs and that the port in the base URL is right.',
        details,
      };
    case 'unreachable':
      return {
        code: 'unreachable',
        message: `There is no way from n8n to ${call.service} at ${at}`,
        nextStep: 'Check the network and firewalls between n8n and the service.',
        details,
      };
    case 'tls':
      return { ...tlsSentence(call, trouble.reason), details };
    case 'timeout':
      return trouble.sent
        ? {
            code: 'timeout',
            message: `${call.service} did not answer ${call.method} ${call.path} in time`,
            nextStep: 'Check how the service is doing, and try again; it is safe to repeat.',
            details,
          }
        : {
            code: 'connect_timeout',
            message: `No connection to ${call.service} at ${at} came about in time`,
            nextStep: 'Check that the service is up and that no firewall swallows the connection.',
            details,
          };
    case 'cut off':
      return {
        code: 'connection_lost',
        message: `The connection to ${call.service} broke during ${call.method} ${call.path}`,
        nextStep: 'Try again; if it happens every time, look into the logs of the service and of the proxy before it.',
        details,
      };
    case 'not http':
      return {
        code: 'not_http',
        message: `What answers at ${at} does not speak HTTP as ${call.service} should`,
        nextStep: 'Check the port, and whether the base URL should begin with https:// instead of http://.',
        details,
      };
    case 'proxy refused':
      return {
        code: 'proxy_refused',
        message:
          trouble.status === 407
            ? `${capital(proxy)} wants a login before it passes anything on to ${at}`
            : `${capital(proxy)} refused to connect to ${at} (${trouble.status ?? 'no status'})`,
        nextStep:
          trouble.status === 407
            ? 'Put user and password into HTTPS_PROXY or HTTP_PROXY, or the host into NO_PROXY.'
            : 'Allow the host in the proxy, or put it into NO_PROXY if it is reachable without.',
        details: { ...details, ...(trouble.status !== undefined && { proxyStatus: trouble.status }) },
      };
    case 'proxy unreachable':
      return {
        code: 'proxy_unreachable',
        message: `${capital(proxy)}, through which ${at} is reached, cannot be reached itself`,
        nextStep: 'Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in the environment of n8n.',
        details,
      };
    case 'upload source':
      return {
        code: 'upload_source_failed',
        message: trouble.reason.startsWith('TOO_')
          ? `What was to be sent with ${call.method} ${call.path} is not as long as was announced`
          : `What was to be sent with ${call.method} ${call.path} could not be read to its end`,
        nextStep: 'Check the source of the upload; the service got only a part, or nothing.',
        details,
      };
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function tlsSentence(call: Call, reason: string): Sentence {
  const at = host(call);
  const certificate = `The certificate of ${call.service} at ${at}`;
  switch (reason) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return {
        code: 'certificate_self_signed',
        message: `${certificate} is signed by itself or by a private authority, so it was not trusted`,
        nextStep: 'Put the certificate of that authority into the credential if this is your own service.',
      };
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return {
        code: 'certificate_authority_unknown',
        message: `${certificate} comes from an authority that is not known here`,
        nextStep: 'Let the server send its whole chain, or put the certificate of its authority into the credential.',
      };
    case 'CERT_HAS_EXPIRED':
      return {
        code: 'certificate_expired',
        message: `${certificate} has expired`,
        nextStep: 'Renew the certificate on the server; if it is fresh, check the clock of the machine n8n runs on.',
      };
    case 'CERT_NOT_YET_VALID':
      return {
        code: 'certificate_not_yet_valid',
        message: `${certificate} is not valid yet`,
        nextStep: 'Check the clocks of the server and of the machine n8n runs on.',
      };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return {
        code: 'certificate_wrong_name',
        message: `${certificate} was made for another name`,
        nextStep: 'Use the name that stands in the certificate in the base URL, or get a certificate for this one.',
      };
    case 'INVALID_CA':
      return {
        code: 'invalid_private_authority',
        message: `The private authority given for ${call.service} is not a certificate in PEM`,
        nextStep: 'Paste the whole certificate, from its BEGIN line to its END line, into the credential.',
      };
    default:
      return {
        code: 'tls_failed',
        message: `No protected connection to ${call.service} at ${at} came about (${reason})`,
        nextStep: 'Check that the port speaks TLS, and whether the base URL should begin with http://.',
      };
  }
}

export function outcomeUnknown(call: Call, why: string, details: Readonly<Record<string, Json>>): Sentence {
  return {
    code: 'outcome_unknown',
    message: `Whether ${call.service} carried out ${call.method} ${call.path} is not known: ${why}`,
    nextStep: lookFirst,
    details,
  };
}

export function answerLostBecause(trouble: Trouble): string {
  switch (trouble.kind) {
    case 'timeout':
      return 'it was sent, and no answer came in time';
    case 'not http':
      return 'it was sent, and the answer was not HTTP';
    case 'upload source':
      return 'the source of the upload failed on the way';
    default:
      return 'it was sent, and the connection broke before the answer';
  }
}

/** The first sentence of a plain error body, where a service has no `explain`. */
function saidIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  for (const value of [fieldOf(body, 'message'), fieldOf(fieldOf(body, 'error'), 'message'), fieldOf(body, 'error')]) {
    if (typeof value === 'string' && value.trim() !== '') return value.trim().slice(0, 500);
  }
  return undefined;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && name in value
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it was JSON. */
  readonly body: unknown;
  readonly webPage: boolean;
  readonly explanation: Explanation | undefined;
  readonly correlation: Headers;
  readonly attempts: number;
  readonly retryAfterMs: number | undefined;
}

export function statusSentence(call: Call, answer: ErrorAnswer): Sentence {
  const { status, explanation, correlation, attempts, retryAfterMs } = answer;
  const { code, meaning, nextStep } = meaningOf(call, answer);
  const said = explanation?.message ?? saidIn(answer.body) ?? meaning;
  return {
    code: explanation?.code ?? code,
    message: `${call.service} answered ${status} to ${call.method} ${call.path}: ${said}`,
    nextStep: explanation?.nextStep ?? nextStep,
    details: {
      status,
      attempts,
      ...(retryAfterMs !== undefined && { retryAfterSeconds: Math.ceil(retryAfterMs / 1000) }),
      ...(Object.keys(correlation).length > 0 && { correlation }),
    },
  };
}

function meaningOf(
  call: Call,
  { status, webPage, retryAfterMs }: ErrorAnswer,
): { code: string; meaning: string; nextStep: string } {
  switch (status) {
    case 400:
    case 422:
      return {
        code: 'invalid_request',
        meaning: 'it did not accept the values',
        nextStep: 'Correct the values named here, and run it again.',
      };
    case 401:
      return {
        code: 'unauthorized',
        meaning: 'the login or token is not valid',
        nextStep: `Put a valid token for ${call.service} into the credential.`,
      };
    case 403:
      return {
        code: 'forbidden',
        meaning: 'this login may not do that',
        nextStep: 'Give the token the right it lacks, or use another credential.',
      };
    case 404:
      return webPage
        ? {
            code: 'not_found',
            meaning: 'a web page says that this address does not exist',
            nextStep: `Check the base URL ${call.baseUrl}.`,
          }
        : {
            code: 'not_found',
            meaning: 'it does not exist, or this login may not see it',
            nextStep: 'Check the name or id, and that the token belongs to the right project.',
          };
    case 409:
      return {
        code: 'conflict',
        meaning: 'it does not fit the present state',
        nextStep: 'Read the present state, and decide again.',
      };
    case 429:
      return {
        code: 'rate_limited',
        meaning: 'too many requests',
        nextStep:
          retryAfterMs === undefined
            ? 'Wait a while, and run it again.'
            : `Run it again in ${Math.ceil(retryAfterMs / 1000)} s.`,
      };
    case 407:
      return {
        code: 'proxy_refused',
        meaning: 'the proxy wants a login',
        nextStep: 'Put user and password into HTTP_PROXY, or the host into NO_PROXY.',
      };
    default:
      return status >= 500
        ? {
            code: 'service_error',
            meaning: 'the service failed',
            nextStep: `Look at the state of ${call.service}, and check before a repetition whether it took effect.`,
          }
        : {
            code: 'unexpected_status',
            meaning: 'this was not expected',
            nextStep: `Check the base URL ${call.baseUrl} and the version of ${call.service}.`,
          };
  }
}

export function redirectSentence(call: Call, to: string, status: number): Sentence {
  return {
    code: 'redirected',
    message: `${call.service} answered ${status} to ${call.method} ${call.path}: a redirect ${to}, which was not followed`,
    nextStep: `Check the base URL ${call.baseUrl}: https instead of http, the host name, the path.`,
    details: { status },
  };
}

export function webPageSentence(call: Call, details: Readonly<Record<string, Json>>): Sentence {
  return {
    code: 'web_page_answered',
    message: `The address of ${call.service} answers ${call.method} ${call.path} with a web page; is the base URL right?`,
    nextStep: `Check the base URL ${call.baseUrl}, and that no login page stands before the API.`,
    details,
  };
}
