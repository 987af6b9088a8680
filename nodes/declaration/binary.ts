import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';
import { Readable } from 'node:stream';
import { Failure } from '../../lib/failure';

export interface IncomingFile {
  readonly fileName: string;
  readonly mimeType: string;
  /** Absent where n8n does not know it. */
  readonly bytes?: number;
  /** The content, in constant memory wherever n8n keeps it outside of it. */
  readonly open: () => Promise<Readable>;
}

export interface OutgoingFile {
  readonly fileName: string;
  readonly mimeType?: string;
}

/** The files that travel with items. */
export interface Binary {
  /** What stands in a binary field of the item. */
  readonly read: (field: string) => IncomingFile;
  /** Gives a file to n8n's store; put what comes back into `withBinary`. */
  readonly store: (content: Buffer | Readable, file: OutgoingFile) => Promise<IBinaryData>;
}

export function binaryOf(execute: IExecuteFunctions, itemIndex: number): Binary {
  return {
    read: (field) => incomingFile(execute, itemIndex, field),
    store: (content, { fileName, mimeType }) => execute.helpers.prepareBinaryData(content, fileName, mimeType),
  };
}

function incomingFile(execute: IExecuteFunctions, itemIndex: number, field: string): IncomingFile {
  const binary = execute.getInputData()[itemIndex]?.binary ?? {};
  const data = binary[field];
  if (data === undefined) {
    const present = Object.keys(binary);
    throw new Failure({
      code: 'no_binary_field',
      subject: `item ${itemIndex}`,
      message: `Item ${itemIndex} has no binary field '${field}'`,
      nextStep:
        present.length === 0
          ? 'Put a node before this one that gives a file, for example a download.'
          : `Choose one that it has: ${present.join(', ')}.`,
    });
  }
  const { id, bytes } = data;
  return {
    fileName: data.fileName ?? field,
    mimeType: data.mimeType,
    ...(bytes !== undefined && { bytes }),
    open: async () =>
      id === undefined
        ? Readable.from(await execute.helpers.getBinaryDataBuffer(itemIndex, field))
        : execute.helpers.getBinaryStream(id),
  };
}
