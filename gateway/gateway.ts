/**
 * The gateway: S3 over HTTP, assembled from its parts. It opens no socket by itself: `server` is listened on by the
 * program that chose the address.
 */
import type { Random } from '../runtime/ports/random.ts'
import { createIdentity } from './http/identity.ts'
import { createPipeline, type Pipeline, type PipelineOptions } from './http/pipeline.ts'
import { createHttpServer, defaultServerLimits, type HttpServer, type ServerLimits } from './http/server.ts'

export interface GatewayOptions extends Omit<PipelineOptions, 'identity'> {
  readonly random: Random
  /** Overrides of the defaults in core/limits.ts. */
  readonly serverLimits?: Partial<ServerLimits>
}

export interface Gateway extends HttpServer {
  /** Answers requests without a socket: what simulations drive. */
  readonly pipeline: Pipeline
}

/** Compiles all that can be known at start. Throws when two rows name one operation or a schema cannot be compiled. */
export function createGateway(options: GatewayOptions): Gateway {
  const identity = createIdentity(options.random)
  const pipeline = createPipeline({ ...options, identity })
  const limits = { ...defaultServerLimits, ...options.serverLimits }
  return { pipeline, ...createHttpServer({ ...options, pipeline, identity, limits }) }
}
