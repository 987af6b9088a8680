import { Failure } from '../failure';
import { isObject, type Json, type JsonObject } from '../json';

/** Reads the fields of one object of an answer; what is not as it must be is said with its place. */
export class Fields {
  private constructor(
    private readonly what: string,
    private readonly object: Readonly<Record<string, unknown>>,
  ) {}

  /** `what` is how people call the object: `a DNS record`. */
  static of(value: unknown, what: string): Fields {
    if (!isObject(value)) throw unreadable(what, 'it is no object');
    return new Fields(what, value);
  }

  text(name: string): string {
    return this.required(name, this.optionalText(name));
  }

  /** Cloudflare leaves out what is not set, or says null. */
  optionalText(name: string): string | undefined {
    return this.read(name, 'text', (value) => (typeof value === 'string' ? value : undefined));
  }

  number(name: string): number {
    return this.required(name, this.optionalNumber(name));
  }

  optionalNumber(name: string): number | undefined {
    return this.read(name, 'a number', (value) => (typeof value === 'number' ? value : undefined));
  }

  optionalSwitch(name: string): boolean | undefined {
    return this.read(name, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  part(name: string): Fields {
    return Fields.of(this.object[name], `${name} of ${this.what}`);
  }

  optionalJson(name: string): JsonObject | undefined {
    // Everything that came as JSON is Json.
    return this.read(name, 'an object', (value) => (isObject(value) ? (value as JsonObject) : undefined));
  }

  /** Everything, for what is sent back as it came. */
  all(): JsonObject {
    return this.object as JsonObject;
  }

  /** For another parser. */
  unknown(name: string): unknown {
    return this.object[name];
  }

  json(name: string): Json {
    return this.required(name, this.object[name] as Json | undefined);
  }

  list(name: string): readonly unknown[] {
    return this.read(name, 'a list', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined)) ?? [];
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((value) => {
      if (typeof value !== 'string') throw unreadable(this.what, `${name} holds something that is no text`);
      return value;
    });
  }

  private read<Value>(name: string, form: string, parse: (value: unknown) => Value | undefined): Value | undefined {
    const value = this.object[name];
    if (value === undefined || value === null) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) throw unreadable(this.what, `${name} is not ${form}`);
    return parsed;
  }

  private required<Value>(name: string, value: Value | undefined): Value {
    if (value === undefined) throw unreadable(this.what, `${name} is missing`);
    return value;
  }
}

export function unreadable(what: string, why: string): Failure {
  return new Failure({
    code: 'unreadable_answer',
    subject: `Cloudflare: ${what}`,
    message: `Cloudflare described ${what} in a way that is not understood: ${why}`,
    nextStep: 'Check the base URL in the credential; if it is right, report this to the makers of this pack.',
  });
}
