import type { Excluded } from '../../../lab/standins/contract';

/** Operations of the description that the client leaves alone. */
export const excluded: Excluded = {
  'POST /zones': 'Zones are made in the dashboard, with their name servers at the registrar.',
  'PATCH /zones/{zone_id}': 'Pausing or moving a zone takes every site in it offline; nothing here needs it.',
  'DELETE /zones/{zone_id}': 'A tool that cannot delete a zone never deletes a zone.',
  'PUT /zones/{zone_id}/activation_check': 'Only for zones that are being set up.',
  'POST /zones/{zone_id}/dns_records/scan': 'Deprecated: it adds what it finds without asking.',
  'DELETE /zones/{zone_id}/dnssec': 'Deletes the keys; disabling is enough and can be taken back.',
  'GET /user/tokens': 'A token for DNS may not list tokens.',
  'GET /user/tokens/{token_id}': 'A token for DNS may not read tokens; its permissions are tried instead.',
  'GET /accounts': 'The account of a zone stands in the zone.',
};
