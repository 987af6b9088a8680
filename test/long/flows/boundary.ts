/** How far a flow has got, as a fact that is seen from outside. n8n is killed there. */
export interface Boundary {
  readonly called: string;
  readonly reached: () => boolean | Promise<boolean>;
}
