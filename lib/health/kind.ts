import type { Task } from '../task';
import type { Fields } from './fields';
import type { Finding } from './finding';
import { look, type StreamProbe } from './probes/probe';
import type { Address, Vantage } from './vantage';

export type Secrets = Readonly<Record<string, string>>;

/** A target of one kind, read and ready to be looked at. */
export interface Prepared {
  /** References to secrets, by the name under which `look` is given their values. */
  readonly secrets: Secrets;
  readonly look: (from: Vantage, secrets: Secrets, task: Task) => Promise<Finding>;
}

/** One kind of target: from where it can be looked at, and how what was written about it is read. */
export interface Kind {
  /** `anywhere`: n8n or any host. `n8n`: only from there. `host`: by a command on one. */
  readonly from: 'anywhere' | 'n8n' | 'host';
  readonly prepare: (fields: Fields) => Prepared;
}

/** What is talked to over a stream can be looked at from anywhere. */
export function overStream<Target extends Address>(
  probe: StreamProbe<Target>,
  read: (fields: Fields) => { readonly secrets?: Secrets; readonly target: (secrets: Secrets) => Target },
): Kind {
  return {
    from: 'anywhere',
    prepare: (fields) => {
      const { secrets = {}, target } = read(fields);
      let known: { readonly of: Secrets; readonly target: Target } | undefined;
      return {
        secrets,
        look: (from, values, task) => {
          if (known?.of !== values) known = { of: values, target: target(values) };
          return look(probe, known.target, from, task);
        },
      };
    },
  };
}

export function addressOf(fields: Fields, port?: number): Address {
  const host = fields.needText('host');
  const given = fields.number('port', 1, 65_535);
  return { host, port: given ?? port ?? fields.needNumber('port', 1, 65_535) };
}

/** Only references; the values are looked up when the watch begins. */
export function secretsOf(fields: Fields, ...names: readonly string[]): Secrets {
  return Object.fromEntries(
    names.flatMap((name) => {
      const reference = fields.text(name);
      return reference === undefined ? [] : [[name, reference]];
    }),
  );
}
