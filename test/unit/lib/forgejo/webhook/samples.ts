import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { EventType } from '../../../../../lib/forgejo/webhook/event-types';
import { sign } from '../../../../../lib/forgejo/webhook/signature';

export interface Sample {
  readonly id: string;
  readonly server: 'forgejo' | 'gitea';
  readonly event_header: string;
  readonly event_type: EventType;
  readonly action?: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

interface Recorded {
  readonly samples: readonly Sample[];
  readonly signature_vectors: readonly {
    readonly file: string;
    readonly secret: string;
    readonly x_gitea_signature: string;
    readonly raw_body: string;
  }[];
}

const file = join(__dirname, '../../../../fixtures/forgejo/webhook-samples.json');

export const recorded = JSON.parse(readFileSync(file, 'utf8')) as Recorded;

export function sampleOf(id: string): Sample {
  const found = recorded.samples.find((sample) => sample.id === id);
  if (found === undefined) throw new Error(`There is no sample ${id}`);
  return found;
}

export function bodyOf({ payload }: Pick<Sample, 'payload'>): Buffer {
  return Buffer.from(JSON.stringify(payload, null, 2));
}

export const DELIVERY = '7ff0f02d-9a09-4a3a-8f3a-6a5f1e1c2d3e';

/** The headers of a delivery, as such a server sends them. */
export function headersOf(sample: Sample, body: Buffer, secret: string, delivery = DELIVERY): Record<string, string> {
  const signature = sign(body, secret);
  const brands = sample.server === 'forgejo' ? ['forgejo', 'gitea', 'gogs'] : ['gitea', 'gogs'];
  return {
    'content-type': 'application/json',
    'x-hub-signature': 'sha1=0000000000000000000000000000000000000000',
    'x-hub-signature-256': `sha256=${signature}`,
    ...Object.fromEntries(
      brands.flatMap((brand) => [
        [`x-${brand}-delivery`, delivery],
        [`x-${brand}-event`, sample.event_header],
        [`x-${brand}-event-type`, sample.event_type],
        [`x-${brand}-signature`, signature],
      ]),
    ),
  };
}
