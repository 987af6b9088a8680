import type { Explanation } from '../http/settings';
import { isObject } from '../json';

/** The code of a refusal for want of a valid login: the server has done nothing then. */
export const tokenRefused = 'unauthorized';

/** Infisical's error body in our words. */
export function explainInfisical(body: unknown, status: number): Explanation | undefined {
  if (!isObject(body)) return undefined;
  const message = sentenceOf(body['message']);
  const error = body['error'];
  const correlation = typeof body['reqId'] === 'string' ? ` (request ${body['reqId'].slice(0, 60)})` : '';
  const said = message === undefined ? {} : { message: `${message}${correlation}` };
  if (error === 'TokenError' || status === 401) {
    return {
      ...said,
      code: tokenRefused,
      nextStep:
        'Check the login in the credential, and that the machine identity still exists and may log in this way.',
    };
  }
  if (status === 403) {
    return {
      ...said,
      code: 'forbidden',
      nextStep: 'Give the machine identity a role in this project that allows it, or use another credential.',
    };
  }
  if (status === 404) {
    return {
      ...said,
      code: 'not_found',
      nextStep: 'Check project, environment and path, and that the machine identity is a member of the project.',
    };
  }
  return message === undefined ? undefined : said;
}

/** Text, or for 422 the list of what does not fit. The values that were sent are not in it. */
function sentenceOf(message: unknown): string | undefined {
  if (typeof message === 'string') return withoutStop(message);
  if (!Array.isArray(message)) return undefined;
  const issues = message.flatMap((issue: unknown) => {
    if (!isObject(issue) || typeof issue['message'] !== 'string') return [];
    const place = Array.isArray(issue['path']) ? issue['path'].join('.') : '';
    return [place === '' ? withoutStop(issue['message']) : `${place}: ${withoutStop(issue['message'])}`];
  });
  return issues.length === 0 ? undefined : issues.join('; ');
}

function withoutStop(text: string): string {
  return text.trim().replace(/\.$/, '').slice(0, 500);
}
