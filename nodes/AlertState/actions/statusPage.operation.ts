import { readDrills } from '../../../lib/alert/drills';
import { checkZone } from '../../../lib/alert/hours';
import { statusPage } from '../../../lib/alert/render/status-page';
import { readBook } from '../../../lib/alert/store';
import { readSeen } from '../../../lib/health/record';
import { pageOf } from '../../../lib/health/status-page';
import { list, schema, text } from '../../declaration';
import { place } from '../fields';
import { operation } from '../operation';

export const statusPageOperations = [
  operation({
    resource: 'statusPage',
    name: 'render',
    action: 'Render a status page',
    description: 'One HTML file that needs nothing else, for a Respond to Webhook node',
    effect: 'reads',
    input: {
      ...place,
      watches: list({
        label: 'Watches',
        default: ['watch'],
        description: 'Names of watches of the Health Monitor Trigger, whose targets are shown with their history',
      }),
      pageTitle: text({ label: 'Page Title', default: 'Status' }),
      zone: text({ label: 'Time Zone', default: 'UTC', placeholder: 'America/Santiago' }),
    },
    output: schema.lazy(() =>
      schema.object({
        html: schema.string(),
        targets: schema.integer(),
        wrong: schema.integer('Targets that are wrong now'),
        unknown: schema.integer(),
        incidents: schema.integer('Open ones that people were told'),
      }),
    ),
    run: async ({ input, store }) => {
      const zone = checkZone(input.zone);
      const seen = await Promise.all(input.watches.map((watch) => readSeen(store, watch)));
      const { memory } = await readBook(store, input.estate);
      const watches = seen.filter((one) => one !== undefined);
      const drills = await readDrills(store, input.estate);
      const page = { ...pageOf(watches, memory, { title: input.pageTitle, zone }, Date.now()), drills };
      const things = page.groups.flatMap((group) => group.things);
      return {
        html: statusPage(page),
        targets: things.length,
        wrong: things.filter(({ status }) => status === 'wrong').length,
        unknown: things.filter(({ status }) => status === 'unknown').length,
        incidents: page.incidents.length,
      };
    },
  }),
];
