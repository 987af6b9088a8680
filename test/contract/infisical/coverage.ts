import type { Excluded } from '../../../lab/standins/contract';

const former = 'The former address of what v4 and v2 do; servers that lack those are too old for us.';

/** Operations of the description that the client leaves alone. */
export const excluded: Excluded = {
  'POST /api/v1/auth/token/revoke': 'The login is shared by all executions of the process, so nobody may end it.',
  'GET /api/v4/secrets/id/{secretId}': 'People know a secret by its place and name.',
  'POST /api/v4/secrets/move': 'It answers success without saying which secrets moved; a copy and a deletion say so.',
  'GET /api/v3/secrets/raw': former,
  'GET /api/v3/secrets/raw/{secretName}': former,
  'POST /api/v3/secrets/raw/{secretName}': former,
  'PATCH /api/v3/secrets/raw/{secretName}': former,
  'DELETE /api/v3/secrets/raw/{secretName}': former,
  'GET /api/v2/folders/{folderId}': 'Folders are listed by path.',
  'PATCH /api/v2/folders/{folderId}': 'A renamed folder breaks every reference into it.',
  'DELETE /api/v2/folders/{folderId}': 'It takes all secrets below with it; that is for people, in the web page.',
  'GET /api/v1/folders': former,
  'POST /api/v1/folders': former,
  'GET /api/v1/folders/{folderId}': former,
  'PATCH /api/v1/folders/{folderId}': former,
  'DELETE /api/v1/folders/{folderId}': former,
};
