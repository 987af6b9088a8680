import { parseMatchers } from '../../../lib/alert/matcher';
import { note, readBook } from '../../../lib/alert/store';
import { number, schema, text } from '../../declaration';
import { byField, place, whyField } from '../fields';
import { operation } from '../operation';
import { shownSilence, silenceOutput } from '../output';

export const silenceOperations = [
  operation({
    resource: 'silence',
    name: 'create',
    action: 'Silence something',
    description: 'What matches is not told for a while; what was told before is not repeated',
    effect: 'changes',
    input: {
      ...place,
      matchers: text({
        label: 'What',
        required: true,
        placeholder: 'host=bruno, kind!=host',
        description: 'Labels as label=value, !=, =~ or !~, all of which must hold. The label target is the target.',
      }),
      minutes: number({ label: 'For (Minutes)', default: 60, min: 1, max: 525_600 }),
      by: byField,
      why: whyField,
    },
    output: silenceOutput,
    run: async ({ input, store }) => {
      const { by, why, minutes, estate } = input;
      const matchers = parseMatchers(input.matchers);
      const until = Date.now() + minutes * 60_000;
      const { silences } = await note(store, estate, { kind: 'silence', matchers, by, why, until });
      return silences.slice(-1).map(shownSilence);
    },
  }),
  operation({
    resource: 'silence',
    name: 'lift',
    action: 'Lift a silence',
    description: 'What is still wrong is told again',
    effect: 'changes',
    input: {
      ...place,
      silence: number({ label: 'Silence', default: 1, min: 1, integer: true, description: 'Its number' }),
    },
    output: schema.object({ silence: schema.integer(), lifted: schema.boolean() }),
    run: async ({ input, store }) => {
      await note(store, input.estate, { kind: 'lift silence', id: input.silence });
      return { silence: input.silence, lifted: true };
    },
  }),
  operation({
    resource: 'silence',
    name: 'list',
    action: 'List silences',
    description: 'Lists what is silenced now, by whom and why',
    effect: 'reads',
    input: place,
    output: silenceOutput,
    run: async ({ input, store }) => {
      const { silences } = (await readBook(store, input.estate)).memory;
      return silences.filter(({ until }) => until > Date.now()).map(shownSilence);
    },
  }),
];
