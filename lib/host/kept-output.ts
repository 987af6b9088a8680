export interface KeptOutput {
  add(chunk: Buffer): void;
  text(): string;
  readonly bytes: number;
  readonly truncated: boolean;
}

/** Keeps the beginning and the end of a stream within a limit and counts all of it. */
export function keepOutput(limit: number): KeptOutput {
  const headLimit = Math.floor(limit / 2);
  const tailLimit = limit - headLimit;
  const head: Buffer[] = [];
  let headBytes = 0;
  let tail: Buffer[] = [];
  let tailBytes = 0;
  let bytes = 0;

  return {
    add(chunk) {
      bytes += chunk.length;
      const forHead = Math.min(chunk.length, headLimit - headBytes);
      if (forHead > 0) {
        head.push(chunk.subarray(0, forHead));
        headBytes += forHead;
      }
      const rest = chunk.subarray(forHead);
      if (rest.length === 0) return;
      tail.push(rest);
      tailBytes += rest.length;
      // Joined only now and then: cutting at every chunk would copy the whole tail each time.
      if (tailBytes > tailLimit * 2) {
        tail = [lastOf(Buffer.concat(tail), tailLimit)];
        tailBytes = tailLimit;
      }
    },
    text() {
      const end = lastOf(Buffer.concat(tail), tailLimit);
      const dropped = bytes - headBytes - end.length;
      const gap = dropped > 0 ? Buffer.from(`\n[... ${dropped} bytes left out ...]\n`) : Buffer.alloc(0);
      return Buffer.concat([...head, gap, end]).toString('utf8');
    },
    get bytes() {
      return bytes;
    },
    get truncated() {
      return bytes > limit;
    },
  };
}

function lastOf(buffer: Buffer, count: number): Buffer {
  return buffer.length <= count ? buffer : Buffer.from(buffer.subarray(buffer.length - count));
}
