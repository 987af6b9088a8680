import type { IExecuteFunctions, INode, INodeExecutionData } from 'n8n-workflow';

export interface FakeExecution {
  /** Parameters of each item; n8n falls back to the default for one that is missing. */
  readonly parameters: readonly Readonly<Record<string, unknown>>[];
  readonly items?: readonly INodeExecutionData[];
  readonly continueOnFail?: boolean;
  readonly signal?: AbortSignal;
  readonly tool?: boolean;
  readonly nodeType?: string;
  readonly mode?: string;
}

export interface FakeExecute {
  readonly execute: IExecuteFunctions;
  /** What the editor was sent. */
  readonly shown: string[];
}

/** The part of n8n's execution context that the declarations use, answering from plain data. */
export function fakeExecute(execution: FakeExecution): FakeExecute {
  const shown: string[] = [];
  const node: INode = {
    id: 'node-1',
    name: 'Sample',
    type: execution.nodeType ?? 'n8n-nodes-selfhost.sample',
    typeVersion: 1,
    position: [0, 0],
    parameters: {},
  };
  const fake = {
    getInputData: () => execution.items ?? execution.parameters.map(() => ({ json: {} })),
    getNode: () => node,
    getMode: () => execution.mode ?? 'manual',
    getExecutionId: () => 'execution-7',
    getExecutionCancelSignal: () => execution.signal,
    continueOnFail: () => execution.continueOnFail ?? false,
    isToolExecution: () => execution.tool ?? false,
    sendMessageToUI: (line: string) => shown.push(line),
    logger: { debug: () => undefined },
    getNodeParameter: (name: string, itemIndex: number, fallback: unknown) => {
      const value = execution.parameters[itemIndex]?.[name];
      return value === undefined ? fallback : value;
    },
    helpers: {
      prepareBinaryData: (content: Buffer, fileName: string, mimeType = 'text/plain') =>
        Promise.resolve({ data: content.toString('base64'), fileName, mimeType }),
      getBinaryDataBuffer: (itemIndex: number, field: string) =>
        Promise.resolve(Buffer.from(execution.items?.[itemIndex]?.binary?.[field]?.data ?? '', 'base64')),
    },
  };
  // Only what the framework uses is there; anything else would fail loudly as "not a function".
  return { execute: fake as unknown as IExecuteFunctions, shown };
}
