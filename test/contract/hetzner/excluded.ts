import type { Excluded } from '../../../lab/standins/contract';

const oneList = 'Actions are followed by /actions, 25 at a time, whatever they belong to.';
const storageOneList = 'Actions are followed by /storage_boxes/actions, 25 at a time.';
const byIds = 'Actions are asked for in batches, also a single one.';
const retired = 'Hetzner has taken it back: actions stand under their own address.';
const noDatacenters = 'Hetzner answers 410 since 2026-10-01; locations take their place.';

const cloudLists = [
  'certificates',
  'firewalls',
  'floating_ips',
  'images',
  'load_balancers',
  'networks',
  'primary_ips',
  'servers',
  'volumes',
];

/** Operations of the descriptions that the client does not use, and why. */
export const cloudExcluded: Excluded = {
  ...Object.fromEntries(
    cloudLists.flatMap((list) => [
      [`GET /${list}/actions`, oneList],
      [`GET /${list}/actions/{id}`, oneList],
      [`GET /${list}/{id}/actions/{action_id}`, retired],
    ]),
  ),
  'GET /actions/{id}': byIds,
  'GET /zones/actions': oneList,
  'GET /zones/actions/{id}': oneList,
  'GET /zones/{id_or_name}/actions/{action_id}': retired,
  'GET /datacenters': noDatacenters,
  'GET /datacenters/{id}': noDatacenters,
};

export const storageExcluded: Excluded = {
  'GET /storage_boxes/actions/{id}': byIds,
  'GET /storage_boxes/{id}/actions/{action_id}': `${retired} ${storageOneList}`,
};
