import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { run } from '../cluster/tools.ts'
import { deployed } from './files.ts'

/** What `helm template` makes of the chart, as far as the tests look at it. */

const labels = z.record(z.string(), z.string())

const variable = z.looseObject({
  name: z.string(),
  value: z.string().optional(),
  valueFrom: z
    .strictObject({
      fieldRef: z.strictObject({ fieldPath: z.string() }).optional(),
      secretKeyRef: z.strictObject({ name: z.string(), key: z.string() }).optional(),
    })
    .optional(),
})

const probe = z.looseObject({ httpGet: z.strictObject({ path: z.string(), port: z.string() }) })

const container = z.looseObject({
  name: z.string(),
  args: z.array(z.string()),
  env: z.array(variable),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.int() })),
  securityContext: z.looseObject({}),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
  lifecycle: z
    .strictObject({ preStop: z.strictObject({ exec: z.strictObject({ command: z.array(z.string()) }) }) })
    .optional(),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
})

const podSpec = z.looseObject({
  enableServiceLinks: z.boolean(),
  terminationGracePeriodSeconds: z.int(),
  securityContext: z.looseObject({}),
  containers: z.tuple([container]),
  volumes: z.array(
    z.looseObject({
      name: z.string(),
      secret: z
        .looseObject({
          secretName: z.string(),
          items: z.array(z.strictObject({ key: z.string(), path: z.string() })),
        })
        .optional(),
    }),
  ),
})

const metadata = z.looseObject({
  name: z.string(),
  labels,
  annotations: labels.optional(),
})

const controller = z.looseObject({
  metadata,
  spec: z.looseObject({
    serviceName: z.string().optional(),
    replicas: z.int(),
    updateStrategy: z.strictObject({ type: z.string() }).optional(),
    selector: z.strictObject({ matchLabels: labels }),
    template: z.looseObject({ metadata: z.looseObject({ labels }), spec: podSpec }),
    volumeClaimTemplates: z
      .array(z.looseObject({ metadata: z.strictObject({ name: z.string() }) }))
      .optional(),
  }),
})

const serviceObject = z.looseObject({
  metadata,
  spec: z.looseObject({
    clusterIP: z.string().optional(),
    selector: labels,
    ports: z.array(z.looseObject({ name: z.string(), port: z.int(), targetPort: z.string() })),
  }),
})

const budget = z.looseObject({
  metadata,
  spec: z.looseObject({
    maxUnavailable: z.int(),
    selector: z.strictObject({ matchLabels: labels }),
  }),
})

const secret = z.looseObject({ metadata, data: labels })

export type Controller = z.output<typeof controller>

export interface Rendered {
  /** StatefulSets and Deployments. */
  readonly controllers: readonly Controller[]
  readonly services: readonly z.output<typeof serviceObject>[]
  readonly budgets: readonly z.output<typeof budget>[]
  readonly secrets: readonly z.output<typeof secret>[]
  /** Every object's kind. */
  readonly kinds: readonly string[]
  readonly text: string
}

/** Old enough that clusters which are kept up have it. */
const KUBERNETES = '1.29.0'

/** @param args of `helm template`, such as `--set` */
export async function render(...args: readonly string[]): Promise<Rendered> {
  const chart = deployed('chart', 'ashlar')
  const command = [
    'template',
    'store',
    chart,
    '--namespace',
    'objects',
    '--kube-version',
    KUBERNETES,
    ...args,
  ]
  const text = await run('helm', command)
  const objects = parseAllDocuments(text)
    .map((document) => z.looseObject({ kind: z.string() }).nullable().parse(document.toJS()))
    .filter((object) => object !== null)
  const of = <T>(schema: z.ZodType<T>, ...kinds: readonly string[]) =>
    objects.filter(({ kind }) => kinds.includes(kind)).map((object) => schema.parse(object))
  return {
    controllers: of(controller, 'StatefulSet', 'Deployment'),
    services: of(serviceObject, 'Service'),
    budgets: of(budget, 'PodDisruptionBudget'),
    secrets: of(secret, 'Secret'),
    kinds: objects.map(({ kind }) => kind),
    text,
  }
}

/** Whether a selector takes what has these labels. */
export function selects(
  selector: Readonly<Record<string, string>>,
  of: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => of[name] === value)
}
