/** The parts of a multipart/form-data body by name; a name that comes twice is a list. Undefined when it is none. */
export function readMultipart(contentType: string, body: Buffer): Record<string, string | string[]> | undefined {
  const boundary = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType);
  if (boundary === null) return undefined;
  const mark = `--${boundary[1] ?? boundary[2] ?? ''}`;
  const parts = body.toString('utf8').split(mark);
  if (parts.length < 2 || parts.at(-1)?.trimEnd() !== '--') return undefined;
  const fields: Record<string, string | string[]> = {};
  for (const part of parts.slice(1, -1)) {
    const end = part.indexOf('\r\n\r\n');
    const name = /content-disposition:\s*form-data;[^\r\n]*\bname="([^"]*)"/i.exec(part.slice(0, end))?.[1];
    if (end < 0 || name === undefined || !part.endsWith('\r\n')) return undefined;
    const value = part.slice(end + 4, -2);
    const before = fields[name];
    fields[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return fields;
}
