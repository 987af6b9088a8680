import { getRecord, listRecords, type RecordFilter } from '../../../../lib/cloudflare/records';
import { RECORD_TYPES } from '../../../../lib/dns/layouts';
import { choice, number, optional, text } from '../../../declaration';
import { recordIdField, recordOutput, zoneField } from '../../fields';
import { operation } from '../../operation';

export const getRecordOperation = operation({
  resource: 'record',
  name: 'get',
  action: 'Get a DNS record',
  description: 'Reads one record by its ID',
  effect: 'reads',
  input: { zone: zoneField, recordId: recordIdField },
  output: recordOutput,
  run: async ({ input, api, findZone, task }) => getRecord(api, (await findZone(input.zone)).id, input.recordId, task),
});

const yesOrNo = { options: { any: 'Any', yes: 'Yes', no: 'No' }, default: 'any' } as const;

export const listRecordsOperation = operation({
  resource: 'record',
  name: 'list',
  action: 'List DNS records',
  description: 'Lists the records of a zone, all or those that fit the filters. The list is whole, or it fails.',
  effect: 'reads',
  input: {
    zone: zoneField,
    filters: optional(
      {
        type: choice({
          label: 'Type',
          options: Object.fromEntries(RECORD_TYPES.map((type) => [type, type])),
          default: 'A',
        }),
        nameIs: text({ label: 'Name Is' }),
        nameContains: text({ label: 'Name Contains' }),
        nameStartsWith: text({ label: 'Name Starts With' }),
        nameEndsWith: text({ label: 'Name Ends With' }),
        contentIs: text({ label: 'Content Is' }),
        contentContains: text({ label: 'Content Contains' }),
        contentStartsWith: text({ label: 'Content Starts With' }),
        contentEndsWith: text({ label: 'Content Ends With' }),
        commentIs: text({ label: 'Comment Is' }),
        commentContains: text({ label: 'Comment Contains' }),
        commentStartsWith: text({ label: 'Comment Starts With' }),
        commentEndsWith: text({ label: 'Comment Ends With' }),
        hasComment: choice({ label: 'Has Comment', ...yesOrNo }),
        tagIs: text({ label: 'Tag Is', placeholder: 'team:ops' }),
        tagContains: text({ label: 'Tag Contains' }),
        tagStartsWith: text({ label: 'Tag Starts With' }),
        tagEndsWith: text({ label: 'Tag Ends With' }),
        hasTag: text({ label: 'Has Tag', placeholder: 'team' }),
        lacksTag: text({ label: 'Lacks Tag' }),
        proxied: choice({ label: 'Proxied', ...yesOrNo }),
        search: text({ label: 'Search', description: 'Anywhere in name, content, comment and tags' }),
        match: choice({ label: 'Match', options: { all: 'All Filters', any: 'Any Filter' }, default: 'all' }),
        tagMatch: choice({
          label: 'Tag Match',
          options: { all: 'All Tag Filters', any: 'Any Tag Filter' },
          default: 'all',
        }),
        order: choice({
          label: 'Order By',
          options: { name: 'Name', type: 'Type', content: 'Content', ttl: 'TTL', proxied: 'Proxied' },
          default: 'name',
        }),
        direction: choice({ label: 'Direction', options: { asc: 'Ascending', desc: 'Descending' }, default: 'asc' }),
        limit: number({
          label: 'Limit',
          default: 50,
          min: 1,
          integer: true,
          description: 'Max number of results to return',
        }),
      },
      { label: 'Filters', add: 'Add Filter' },
    ),
  },
  output: recordOutput,
  run: async ({ input, api, findZone, task }) => {
    const given = input.filters;
    const filter: RecordFilter = {
      ...given,
      proxied: switchOf(given.proxied),
      name: textFilter(given.nameIs, given.nameContains, given.nameStartsWith, given.nameEndsWith),
      content: textFilter(given.contentIs, given.contentContains, given.contentStartsWith, given.contentEndsWith),
      comment: {
        ...textFilter(given.commentIs, given.commentContains, given.commentStartsWith, given.commentEndsWith),
        present: switchOf(given.hasComment),
      },
      tag: {
        ...textFilter(given.tagIs, given.tagContains, given.tagStartsWith, given.tagEndsWith),
        present: said(given.hasTag),
        absent: said(given.lacksTag),
      },
      search: said(given.search),
    };
    return listRecords(api, (await findZone(input.zone)).id, filter, task);
  },
});

/** A filter that was added and left empty filters nothing. */
function said(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function textFilter(exact?: string, contains?: string, startsWith?: string, endsWith?: string) {
  return { exact: said(exact), contains: said(contains), startsWith: said(startsWith), endsWith: said(endsWith) };
}

function switchOf(answer: 'any' | 'yes' | 'no' | undefined): boolean | undefined {
  return answer === undefined || answer === 'any' ? undefined : answer === 'yes';
}
