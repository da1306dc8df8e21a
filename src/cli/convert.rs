//! `steadygate convert`: from a template of Azure Resource Manager to manifests.

mod trial;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::{say, show};
use crate::convert::{self, Conversion, MAX_INPUT_BYTES, Naming, Yaml};

/// Arguments of `steadygate convert`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Convert {
    /// An ARM template, an exported resource, what `az network application-gateway show` prints, or a fragment of one; - for standard input
    #[arg(value_name = "TEMPLATE")]
    template: PathBuf,

    /// The template's file of parameters
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,

    /// Name of the ApplicationGateway [default: the template's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Namespace of the objects [default: none is written]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,

    /// IngressClass of the ApplicationGateway [default: none is written]
    #[arg(long, value_name = "CLASS")]
    ingress_class: Option<String>,

    /// Print the report as JSON
    #[arg(long)]
    json: bool,

    /// Serve what was converted on this machine, frontend port 80 at 127.0.0.1:8080 and 443 at 127.0.0.1:8443, in place of printing it;
    /// Secrets that have to be filled in get a self-signed certificate
    #[arg(long)]
    run: bool,

    /// With --run: serve a frontend port at another address (repeatable)
    #[arg(long, value_name = "PORT=ADDR:PORT", value_parser = super::run::clients::binding, requires = "run")]
    listen: Vec<(u16, SocketAddr)>,

    /// With --run: where the admin port is
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:9180", requires = "run")]
    admin: SocketAddr,
}

impl Convert {
    /// Prints the objects on standard output and the report on standard error. Exit codes: 0 all was carried over; 1 something was not, or has to
    /// be filled in; 2 there is nothing to convert, or a file is not readable.
    ///
    /// # Errors
    /// A file can't be read, or is not JSON.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let conversion = self.convert()?;
        if self.run && !conversion.objects.is_empty() {
            self.report(&conversion)?;
            return trial::serve(&conversion.objects, &self.listen, self.admin);
        }
        show(&documents(&conversion.objects))?;
        self.report(&conversion)?;
        Ok(exit_code(&conversion))
    }

    fn convert(&self) -> anyhow::Result<Conversion> {
        let document = read(&self.template)?;
        let parameters = self.parameters.as_deref().map(read).transpose()?;
        let fallback = self.template.file_stem().and_then(|stem| stem.to_str()).filter(|stem| *stem != "-");
        let naming = Naming {
            name: self.name.clone(),
            fallback: fallback.map(str::to_owned),
            namespace: self.namespace.clone(),
            ingress_class: self.ingress_class.clone(),
        };
        convert::convert(&document, parameters.as_deref(), &naming)
            .with_context(|| format!("{} can't be converted", self.template.display()))
    }

    fn report(&self, conversion: &Conversion) -> anyhow::Result<()> {
        if self.json {
            say(&serde_json::to_string_pretty(&conversion.report)?);
        } else if !conversion.has_gateway {
            say("there is no application gateway in it: a template, a resource or a fragment of one is expected");
        } else {
            say(conversion.report.to_string().trim_end());
        }
        Ok(())
    }
}

fn exit_code(conversion: &Conversion) -> ExitCode {
    ExitCode::from(match conversion {
        Conversion { has_gateway: false, .. } => 2,
        Conversion { report, .. } if report.is_whole() => 0,
        Conversion { .. } => 1,
    })
}

/// The objects as one file.
fn documents(objects: &[Yaml]) -> String {
    objects.iter().map(Yaml::document).collect::<Vec<_>>().join("---\n")
}

/// Reads a file, but no more of it than a template may have.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_INPUT_BYTES as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("can't read {}", path.display()))?;
    Ok(bytes)
}
