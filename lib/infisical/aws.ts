import { createHash, createHmac } from 'node:crypto';

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of keys that AWS lent for a while. */
  readonly sessionToken?: string;
}

/** A request to AWS that says who signed it; whoever has it can ask AWS that, for some minutes, and do nothing else. */
export interface IdentityProof {
  readonly iamHttpRequestMethod: 'POST';
  /** Both in base64. */
  readonly iamRequestBody: string;
  readonly iamRequestHeaders: string;
}

const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';
const TYPE = 'application/x-www-form-urlencoded; charset=utf-8';

/** Signature Version 4 of GetCallerIdentity, which Infisical sends on to AWS to hear who we are. */
export function proofOfIdentity(keys: AwsKeys, region: string, now: number): IdentityProof {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const headers: Readonly<Record<string, string>> = {
    'Content-Length': String(BODY.length),
    'Content-Type': TYPE,
    Host: `sts.${region}.amazonaws.com`,
    'X-Amz-Date': time,
    ...(keys.sessionToken !== undefined && { 'X-Amz-Security-Token': keys.sessionToken }),
  };
  const all = { ...headers, Authorization: signature(keys, region, time, headers) };
  return {
    iamHttpRequestMethod: 'POST',
    iamRequestBody: Buffer.from(BODY).toString('base64'),
    iamRequestHeaders: Buffer.from(JSON.stringify(all)).toString('base64'),
  };
}

function signature(keys: AwsKeys, region: string, time: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  // They stand in the order of their names already.
  const signed = lines.map(([name]) => name).join(';');
  const request = ['POST', '/', '', ...lines.map((line) => line.join(':')), '', signed, sha256(BODY)].join('\n');
  const day = time.slice(0, 8);
  const scope = `${day}/${region}/sts/aws4_request`;
  const key = ['sts', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${keys.secretAccessKey}`, day), region));
  const proof = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${proof}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
