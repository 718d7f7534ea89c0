/**
 * Resolves in the event loop's next turn, after the callbacks that are ready now. Lets work that arrives together be
 * gathered into one batch without waiting for a clock.
 */
export type NextTurn = () => Promise<void>
